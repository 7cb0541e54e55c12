import { basename } from 'node:path'
import { count, error, fewOf, type Finding, ok, warning, word } from '../finding.ts'
import type { Leftovers } from '../look/leftovers.ts'
import type { Damage, KeyFacts, StateFacts } from '../look/state.ts'

/** @param isDaemonThere it holds the sockets of instances open, and tidies up by itself */
export function judgeState(facts: StateFacts, leftovers: Leftovers, isDaemonThere: boolean): Finding[] {
  const damage = facts.scopes.flatMap((scope) => scope.damage)
  const files = facts.scopes.reduce((sum, scope) => sum + scope.files, 0)
  return [
    ...(damage.length > 0
      ? damage.map(judgeDamage)
      : [ok('state.files', `${count(files, 'file')} of ${count(facts.scopes.length, 'scope')} can be read`)]),
    judgeKey(facts.key, facts.sealed),
    judgeLeftovers(leftovers, isDaemonThere),
  ]
}

const UPGRADE = 'npm install --global eco-orchestrator@latest'

function judgeDamage({ kind, path, reason }: Damage): Finding {
  // The way state/revision-store.ts says it.
  if (/newer than this eco|and this eco knows/.test(reason)) {
    const text = `${path} was written by another version of eco: ${reason}`
    return kind === 'newest revision' || kind === 'holds'
      ? error('state.format', text, UPGRADE)
      : warning('state.format', text, UPGRADE)
  }
  const aside = `mv ${word(path)} ${word(`${path}.damaged`)}`
  switch (kind) {
    case 'newest revision': {
      const text = `${path} is damaged: ${reason}. Its scope cannot be changed, its apps go on. Restore the file, or fall back to the revision before it`
      return error('state.revision', text, `${aside} && eco daemon stop && eco daemon start`)
    }
    case 'revision':
      return warning('state.revision', `${path} is damaged: ${reason}. Nobody can roll back to it`, `rm ${word(path)}`)
    case 'holds': {
      const text = `${path} is damaged: ${reason}. Its scope cannot be changed, its apps go on. Without it, what was stopped by hand starts`
      return error('state.holds', text, `${aside} && eco daemon stop && eco daemon start`)
    }
    case 'instance': {
      const text = `${path} is damaged: ${reason}. Its instance is known by the name that its processes carry`
      return warning('state.instance', text, aside)
    }
    case 'runs':
      return warning('state.runs', `${basename(path, '.json')}: ${reason}`, aside)
    case 'events':
      return warning('state.events', `${path}: ${reason}; "eco events" leaves them out`, aside)
  }
}

function judgeKey(key: KeyFacts, sealed: number): Finding {
  switch (key.type) {
    case 'missing':
      if (sealed === 0) return ok('state.key', 'there are no secrets')
      return error(
        'state.key',
        `secret.key is gone: ${count(sealed, 'secret')} cannot be opened. Restore it, or seal them anew`,
        'eco apply',
      )
    case 'damaged':
      return error('state.key', `${key.message} Restore it, or remove it and apply every file again`, 'eco apply')
    case 'foreign': {
      const text = `secret.key is not the key of ${count(key.values.length, 'stored secret')}: the apps cannot start. Restore it, or seal them anew`
      return error('state.key', text, 'eco apply', { details: fewOf(key.values) })
    }
    case 'fits':
      return ok('state.key', `secret.key opens ${count(sealed, 'stored secret')}`)
  }
}

function judgeLeftovers({ files, sockets }: Leftovers, isDaemonThere: boolean): Finding {
  const stale = isDaemonThere ? files : [...files, ...sockets]
  if (stale.length === 0) return ok('state.leftovers', 'no write was cut short')
  const text = `${count(stale.length, 'file')} ${stale.length === 1 ? 'is' : 'are'} left of writes that were cut short, or of instances that ended: they are only in the way`
  return warning('state.leftovers', text, 'eco doctor --fix', {
    details: fewOf(stale),
    fixes: stale.map((path) => ({ type: 'remove', path })),
  })
}
