declare const ECO_VERSION: string | undefined

/** Put in by the build from package.json; sources run by the test runner say so. */
export const VERSION = typeof ECO_VERSION === 'string' ? ECO_VERSION : '0.0.0-source'
