/** A bad build: throws at its start. */
throw new Error('this build throws at its start')
