import { describe, expect, test } from 'vitest'
import { Project, complaintsOf, headlines } from './project.ts'

const APP = 'apps:\n  api:\n    script: app.js\n'

/** One bad input each: the lines under apps.api (or a whole file), and the headlines it must give. */
const TABLE: readonly (readonly [name: string, yaml: string, expected: readonly string[]])[] = [
  [
    'an unknown key with a near match',
    `${APP}    instnaces: 2`,
    ['4:5 unknown key "instnaces" in apps.api; did you mean "instances"?'],
  ],
  ['an unknown key at the top', `aps:\n  api:\n    script: app.js`, ['1:1 unknown key "aps"; did you mean "apps"?']],
  ['an unknown key without a near match', `${APP}    zzzzzzzz: 2`, ['4:5 unknown key "zzzzzzzz" in apps.api']],
  [
    'instances that are a word',
    `${APP}    instances: two`,
    ['4:16 apps.api.instances must be a whole number, "max" or a share like "50%", but was "two"'],
  ],
  [
    'instances below zero',
    `${APP}    instances: -1`,
    ['4:16 apps.api.instances must be a whole number, "max" or a share like "50%", but was -1'],
  ],
  [
    'instances with a fraction',
    `${APP}    instances: 1.5`,
    ['4:16 apps.api.instances must be a whole number, "max" or a share like "50%", but was 1.5'],
  ],
  [
    'a soak that takes longer than a rollout may',
    `${APP}    rollout: { soak: 10m }`,
    ['4:22 apps.api.rollout.deadline (5m) is over before a new instance has soaked (10m)'],
  ],
  [
    'a deadline before the usual soak is over',
    `${APP}    rollout: { deadline: 1s }`,
    ['4:26 apps.api.rollout.deadline (1s) is over before a new instance has soaked (2s)'],
  ],
  [
    'a duration without a unit',
    `${APP}    stop: { timeout: 10 }`,
    ['4:22 apps.api.stop.timeout: 10 has no unit; write 10s, 10ms or 10m'],
  ],
  [
    'a quoted duration without a unit',
    `${APP}    stop: { timeout: "10" }`,
    ['4:22 apps.api.stop.timeout: 10 has no unit; write 10s, 10ms or 10m'],
  ],
  [
    'a duration with a wrong unit',
    `${APP}    stop: { timeout: 10x }`,
    ['4:22 apps.api.stop.timeout must be a duration with a unit, like 150ms, 10s, 5m, 1h or 7d, but was "10x"'],
  ],
  [
    'a choice that is none',
    `${APP}    kind: servce`,
    ['4:11 apps.api.kind must be service, job or cron, but was "servce"; did you mean "service"?'],
  ],
  [
    'a signal without SIG',
    `${APP}    stop: { signal: TERM }`,
    ['4:21 apps.api.stop.signal must be SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2 or SIGKILL, but was "TERM"'],
  ],
  [
    'a command that is a string',
    'apps:\n  api:\n    command: node app.js',
    ['3:14 apps.api.command must be a list of strings: the program and its arguments, but was "node app.js"'],
  ],
  [
    'a number among the arguments',
    'apps:\n  api:\n    command: [redis-server, --port, 6390]',
    ['3:37 apps.api.command[2] must be a string, but was 6390'],
  ],
  [
    'an app name with a space',
    'apps:\n  "my app":\n    script: app.js',
    [
      '2:3 a key of apps must be a name of letters, digits, dot, dash and underscore, at most 63 long, but was "my app"',
    ],
  ],
  [
    'a variable name with a dash',
    `${APP}    env: { MY-VAR: x }`,
    [
      '4:12 a key of apps.api.env must be a variable name of letters, digits and underscore, not starting with a digit, but was "MY-VAR"',
    ],
  ],
  ['an empty app', 'apps:\n  api:', ['2:3 apps.api is empty']],
  ['no apps', 'project: shop', [' the file has no apps']],
  ['a list at the top', '- a', ['1:1 an ecosystem file must be a map with "apps", but this is a list']],
  ['an empty file', '', [' the file is empty']],
  [
    'an environment called default',
    `${APP}environments:\n  default: {}`,
    ['5:3 "default" is the file without an overlay: give this environment another name'],
  ],
  [
    'a problem in an environment that was not chosen',
    `${APP}environments:\n  prod:\n    apps: { api: { instances: no } }`,
    ['6:31 environments.prod.apps.api.instances must be a whole number, "max" or a share like "50%", but was "no"'],
  ],
  ['an env file without a path', `${APP}    env_file: [{ secret: true }]`, ['4:16 apps.api.env_file[0] needs a path']],

  ['a key twice', `${APP}    cwd: .\n    cwd: .`, ['5:5 this key is already there in the same map']],
  ['a tab', 'apps:\n\tapi:\n', ['2:1 a tab cannot indent YAML']],
  ['two documents', `${APP}---\nb: 1`, ['4:1 the file holds more than one YAML document']],
  ['a custom tag', 'apps:\n  api: !js/function x', ['2:21 the tag !js/function is not supported: YAML is data here']],
  ['a key that is a number', 'apps:\n  8080:\n    script: app.js', ['2:3 a key must be a string, but was 8080']],
  [
    'an app called all',
    'apps:\n  all:\n    script: app.js',
    ['2:3 an app cannot be called "all": commands mean every app by it'],
  ],
  ['an alias without an anchor', 'apps: *nothing', ['1:7 the alias *nothing has no anchor before it']],
  [
    'an unclosed list',
    'apps:\n  api:\n    command: [node, app.js\n',
    ['4:1 invalid YAML: flow sequence in block collection must be sufficiently indented and end with a ]'],
  ],
  [
    'a variable without quotes in a map on one line',
    `${APP}    ready: { tcp: \${PORT:-3000} }\n    cwd: .`,
    ['4:19 ${…} needs quotes inside { } and [ ]: YAML takes its { for a map'],
  ],
  [
    'a variable without quotes in a list on one line',
    `${APP}    args: [--port, \${PORT}, -v]`,
    ['4:20 ${…} needs quotes inside { } and [ ]: YAML takes its { for a map'],
  ],
  ['a version directive', '%YAML 1.1\n---\napps: {}', [' the file asks for YAML 1.1, but eco reads YAML 1.2']],

  ['neither script nor command', 'apps:\n  api:\n    instances: 2', ['2:3 apps.api has neither script nor command']],
  ['script and command', `${APP}    command: [node]`, ['4:5 apps.api has both script and command']],
  [
    'args of a command',
    'apps:\n  api:\n    command: [node]\n    args: [x]',
    ['4:5 apps.api.args goes with script; put the arguments into command'],
  ],
  [
    'a missing script',
    'apps:\n  api:\n    script: dist/no.js',
    ['3:13 apps.api.script does not exist: <folder>/dist/no.js'],
  ],
  ['a script that is a directory', 'apps:\n  api:\n    script: .', ['3:13 apps.api.script is a directory: <folder>']],
  ['a missing cwd', `${APP}    cwd: nowhere`, ['4:10 apps.api.cwd does not exist: <folder>/nowhere']],
  ['a cwd that is a file', `${APP}    cwd: app.js`, ['4:10 apps.api.cwd is not a directory: <folder>/app.js']],
  [
    'a program that is missing',
    'apps:\n  api:\n    command: [./no]',
    ['3:15 apps.api.command[0] does not exist: <folder>/no'],
  ],
  [
    'a program that is not executable',
    'apps:\n  api:\n    command: [./app.js]',
    ['3:15 apps.api.command[0] is not executable: <folder>/app.js'],
  ],
  [
    'a program that is not on PATH',
    'apps:\n  api:\n    command: [no-such-program]',
    ['3:15 apps.api runs "no-such-program", which is not on its PATH'],
  ],
  [
    "a program that is not on the app's own PATH",
    'apps:\n  api:\n    command: [node]\n    env: { PATH: /nowhere }',
    ['3:15 apps.api runs "node", which is not on its PATH'],
  ],

  ['a cron app without a schedule', `${APP}    kind: cron`, ['2:3 apps.api is a cron app, so it needs a schedule']],
  [
    'a schedule of a service',
    `${APP}    schedule: "0 3 * * *"`,
    ['4:5 apps.api.schedule is only for kind: cron, but this is a service'],
  ],
  [
    'a timezone of a service',
    `${APP}    timezone: Europe/Oslo`,
    ['4:5 apps.api.timezone is only for kind: cron, but this is a service'],
  ],
  [
    'a bad cron expression',
    `${APP}    kind: cron\n    schedule: "61 3 * * *"`,
    ['5:15 apps.api.schedule is no cron expression: invalid value for minute: 61'],
  ],
  [
    'four cron fields',
    `${APP}    kind: cron\n    schedule: "0 3 * *"`,
    ['5:15 apps.api.schedule must have five fields, or six with seconds first, but has 4'],
  ],
  [
    'a schedule that never comes',
    `${APP}    kind: cron\n    schedule: "0 0 30 2 *"`,
    ['5:15 apps.api.schedule never comes: "0 0 30 2 *"'],
  ],
  [
    'a bad timezone',
    `${APP}    kind: cron\n    schedule: "0 3 * * *"\n    timezone: Mars/Base`,
    ['6:15 apps.api.timezone must be an IANA time zone like Europe/Oslo, but was "Mars/Base"'],
  ],
  [
    'two instances of a job',
    `${APP}    kind: job\n    instances: 2`,
    ['5:16 apps.api.instances must be 1 for a job, but was 2'],
  ],
  [
    'listen and ready of a job',
    `${APP}    kind: job\n    listen: 1\n    ready: signal`,
    ['5:5 apps.api.listen is not for a job: it runs and ends', '6:5 apps.api.ready is not for a job: it runs and ends'],
  ],

  [
    'two ready checks',
    `${APP}    ready: { signal: true, delay: 1s }`,
    ['4:28 apps.api.ready must have exactly one check, but has signal and delay'],
  ],
  ['an empty ready', `${APP}    ready: {}`, ['4:12 apps.api.ready is empty']],
  [
    'a http path without listen',
    `${APP}    ready: { http: /healthz }`,
    ['4:20 apps.api.ready.http is a path, so the app needs an address under listen; or write ":port/path"'],
  ],
  [
    'a http check that is none',
    `${APP}    ready: { http: healthz }`,
    [
      '4:20 apps.api.ready.http must be a path like /healthz, ":8080/healthz", a http:// or https:// URL or "unix:/run/app.sock:/healthz", but was "healthz"',
    ],
  ],
  [
    'a http port out of range',
    `${APP}    ready: { http: ":99999/x" }`,
    [
      '4:20 apps.api.ready.http must be a path like /healthz, ":8080/healthz", a http:// or https:// URL or "unix:/run/app.sock:/healthz", but was ":99999/x"',
    ],
  ],
  [
    'a tcp check out of range',
    `${APP}    ready: { tcp: "70000" }`,
    ['4:19 apps.api.ready.tcp must be a port from 1 to 65535, "host:port" or a socket path, but was "70000"'],
  ],
  [
    'statuses that are none',
    `${APP}    ready: { http: ":1/", status: [99, 300-200] }`,
    ['4:36 apps.api.ready.status[0] must be a status code from 100 to 599 or a range like "200-399", but was 99'],
  ],
  [
    'a status range upside down',
    `${APP}    ready: { http: ":1/", status: [300-200] }`,
    ['4:36 apps.api.ready.status[0] must be a code or range within 100 to 599, lower end first, but was "300-200"'],
  ],
  [
    'a log pattern that is none',
    `${APP}    ready: { log: "/(/" }`,
    ['4:19 apps.api.ready.log is no regular expression: /(/: Unterminated group'],
  ],
  [
    'status without http',
    `${APP}    ready: { signal: true, status: [200] }`,
    ['4:28 apps.api.ready.status goes with http, but there is none'],
  ],

  [
    'an unknown dependency',
    `${APP}    depends_on: [rediss]\n  redis:\n    script: app.js`,
    ['4:18 apps.api.depends_on names an unknown app "rediss"; did you mean "redis"?'],
  ],
  ['a dependency on itself', `${APP}    depends_on: { api: ready }`, ['4:19 apps.api.depends_on names the app itself']],
  [
    'a cycle',
    `${APP}    depends_on: [db]\n  db:\n    script: app.js\n    depends_on: [api]`,
    ['4:5 these apps wait for each other: api -> db -> api'],
  ],
  [
    'a service that should complete',
    `${APP}    depends_on: { db: completed }\n  db: { script: app.js }`,
    ['4:23 apps.api.depends_on.db cannot be completed: db is a service, not a job'],
  ],
  [
    'a cron app that should be ready',
    `${APP}    depends_on: [db]\n  db: { script: app.js, kind: cron, schedule: "* * * * *" }`,
    ['4:18 apps.api.depends_on.db cannot be ready: db is a cron app'],
  ],

  [
    'one port of two apps',
    `${APP}    listen: 3000\n  web:\n    script: app.js\n    listen: "127.0.0.1:3000"`,
    ['7:13 apps.web.listen: 127.0.0.1:3000 is already declared by apps.api (line 4, column 13)'],
  ],
  [
    'one socket of two apps',
    `${APP}    listen: ./a.sock\n  web:\n    script: app.js\n    listen: [a/../a.sock]`,
    ['7:14 apps.web.listen: <folder>/a.sock is already declared by apps.api (line 4, column 13)'],
  ],
  [
    'one port twice',
    `${APP}    listen: [3000, 3000]`,
    ['4:20 apps.api.listen: port 3000 is already declared by the same app (line 4, column 14)'],
  ],
  [
    'a listen that is none',
    `${APP}    listen: web`,
    ['4:13 apps.api.listen must be a port from 1 to 65535, "host:port" or a socket path with a slash, but was "web"'],
  ],
  [
    'a listen with both port and path',
    `${APP}    listen: { port: 3000, path: ./a.sock }`,
    ['4:15 apps.api.listen has both port and path'],
  ],
  [
    'a listen with neither',
    `${APP}    listen: [{ backlog: 10 }]`,
    ['4:14 apps.api.listen[0] has neither port nor path'],
  ],
  ['an empty listen', `${APP}    listen: {}`, ['4:13 apps.api.listen has neither port nor path']],
  [
    'a mode on a port',
    `${APP}    listen: { port: 3000, mode: "660" }`,
    ['4:27 apps.api.listen.mode is only for a unix socket'],
  ],
  [
    'a user on a port',
    `${APP}    listen: [{ port: 3000, user: nobody }]`,
    ['4:28 apps.api.listen[0].user is only for a unix socket'],
  ],
  [
    'a host on a path',
    `${APP}    listen: { path: ./a.sock, host: 127.0.0.1 }`,
    ['4:31 apps.api.listen.host is not for a unix socket'],
  ],
  [
    'a socket for a user that is not there',
    `${APP}    listen: { path: ./a.sock, user: nosuchuser }`,
    ['4:31 apps.api.listen.user does not exist on this machine: "nosuchuser"'],
  ],
  [
    'a socket for a group that is not there',
    `${APP}    listen: { path: ./a.sock, group: nosuchgroup }`,
    ['4:31 apps.api.listen.group does not exist on this machine: "nosuchgroup"'],
  ],
  [
    'a list in a list of listen',
    `${APP}    listen: [[3000]]`,
    ['4:14 apps.api.listen[0] must be one address, but was [3000]'],
  ],
  [
    'a host of listen that is no address',
    `${APP}    listen: { port: 3000, host: example.test }`,
    ['4:27 apps.api.listen.host must be an IP address or localhost, but was "example.test"'],
  ],
  [
    'a host before a port that is no address',
    `${APP}    listen: "example.test:3000"`,
    ['4:13 apps.api.listen must have an IP address or localhost before its port, but was "example.test:3000"'],
  ],
  [
    'modes that are none',
    `${APP}    listen: [{ path: ./a.sock, mode: 660 }, { path: ./b.sock, mode: "888" }]`,
    [
      '4:38 apps.api.listen[0].mode must be an octal mode in quotes, like "660", but was 660',
      '4:69 apps.api.listen[1].mode must be an octal mode in quotes, like "660", but was "888"',
    ],
  ],
  [
    'a backlog and a name that are none',
    `${APP}    listen: { port: 3000, backlog: 0, name: "a:b" }`,
    [
      '4:36 apps.api.listen.backlog must be a whole number from 1 to 65535, but was 0',
      '4:45 apps.api.listen.name must be a name of letters, digits, dot, dash and underscore, but was "a:b"',
    ],
  ],
  [
    'a key of listen that is none',
    `${APP}    listen: { prot: 3000 }`,
    ['4:15 unknown key "prot" in apps.api.listen; did you mean "port"?'],
  ],
  [
    'a port out of range',
    `${APP}    listen: 70000`,
    [
      '4:13 apps.api.listen must be a port from 1 to 65535, "host:port", a socket path, a map with port or path, or a list of these, but was 70000',
    ],
  ],

  [
    'a number that is written otherwise',
    `${APP}    env: { VERSION: 1.10, MODE: 0x10, BIG: 1e3, OCTAL: 010 }`,
    [
      '4:21 apps.api.env.VERSION would be 1.1, not 1.10: without quotes it is a number',
      '4:33 apps.api.env.MODE would be 16, not 0x10: without quotes it is a number',
      '4:44 apps.api.env.BIG would be 1000, not 1e3: without quotes it is a number',
      '4:56 apps.api.env.OCTAL would be 10, not 010: without quotes it is a number',
    ],
  ],
  [
    'a boolean that is written otherwise',
    `${APP}    env: { ON: True }`,
    ['4:16 apps.api.env.ON would be true, not True: without quotes it is a boolean'],
  ],
  [
    'two sources of a secret',
    `${APP}    env: { A: { from_env: A, value: x } }`,
    [
      '4:17 apps.api.env.A must have exactly one of value, from_env, from_file, from_command, but has value and from_env',
    ],
  ],
  [
    'no source of a secret',
    `${APP}    env: { A: { secret: true } }`,
    ['4:12 apps.api.env.A must have exactly one of value, from_env, from_file, from_command, but has none'],
  ],
  [
    'a secret that is not set',
    `${APP}    env: { A: { from_env: NOT_SET } }`,
    ['4:27 apps.api.env.A: the variable NOT_SET is not set'],
  ],
  [
    'a secret file that is missing',
    `${APP}    env: { A: { from_file: no.txt } }`,
    ['4:28 apps.api.env.A: cannot read <folder>/no.txt: it does not exist'],
  ],
  [
    'a secret file that is a directory',
    `${APP}    env: { A: { from_file: . } }`,
    ['4:28 apps.api.env.A: cannot read <folder>: it is a directory'],
  ],
  [
    'a secret command that fails',
    `${APP}    env: { A: { from_command: [sh, -c, "echo hidden; echo one >&2; echo two >&2; exit 3"] } }`,
    ['4:31 apps.api.env.A: the command "sh" exited with code 3: two'],
  ],
  [
    'a secret command that is missing',
    `${APP}    env: { A: { from_command: [no-such-program] } }`,
    ['4:31 apps.api.env.A: the command "no-such-program" was not found'],
  ],
  [
    'a missing env file',
    `${APP}    env_file: [no.env, { path: also-no.env, optional: true }]`,
    ['4:16 apps.api.env_file: cannot use <folder>/no.env: it does not exist'],
  ],
  [
    'an env file that is a directory',
    `${APP}    env_file: .`,
    ['4:15 apps.api.env_file: cannot use <folder>: it is a directory'],
  ],

  [
    'a variable that is not set',
    `${APP}    env: { A: "x\${NOT_SET}y" }`,
    ['4:17 apps.api.env.A: the variable NOT_SET is not set'],
  ],
  [
    'a variable with a message',
    `${APP}    env: { A: "\${NOT_SET:?ask ops}" }`,
    ['4:16 apps.api.env.A: the variable NOT_SET is not set: ask ops'],
  ],
  ['an expression that does not end', `${APP}    env: { A: "\${NOT" }`, ['4:16 apps.api.env.A has a ${ without its }']],
  [
    'a nested default',
    `${APP}    env: { A: "\${B:-\${C}}" }`,
    ['4:16 apps.api.env.A: a default cannot hold another ${…}'],
  ],
  [
    'an expression that names nothing',
    `${APP}    env: { A: "\${1}" }`,
    ['4:16 apps.api.env.A: this ${…} names no variable'],
  ],
  [
    'an interpolated number that is none',
    `${APP}    restart: { max: "\${MANY:-many}" }`,
    ['4:21 apps.api.restart.max must be a whole number of at least 0, but was "many"'],
  ],
  [
    'what is the same for every instance',
    `${APP}    listen: "\${3000 + instance}"\n    cwd: "\${instance}"\n    hooks: { pre_stop: "echo \${instance}" }`,
    [
      '4:14 apps.api.listen is the same for every instance, so it cannot hold ${3000 + instance}',
      '5:11 apps.api.cwd is the same for every instance, so it cannot hold ${instance}',
      '6:30 apps.api.hooks.pre_stop is the same for every instance, so it cannot hold ${instance}',
    ],
  ],
  [
    'a program that differs',
    'apps:\n  api:\n    command: ["run-${instance}", "${instance}"]',
    ['3:20 apps.api.command[0] is the same for every instance, so it cannot hold ${instance}'],
  ],
  [
    'what cannot be worked out for an instance',
    `${APP}    env: { A: "\${instance * 2}", B: "\${1 + instance + 1}", C: "\${instance:-1}", D: "\${instance" }`,
    [
      '4:16 apps.api.env.A: ${instance * 2} cannot be worked out',
      '4:38 apps.api.env.B: ${1 + instance + 1} cannot be worked out',
      '4:64 apps.api.env.C: ${instance:-1} cannot be worked out',
      '4:85 apps.api.env.D: ${instance cannot be worked out',
    ],
  ],
  [
    'checks that differ in more than the port, or in no possible port',
    `${APP}    ready: { http: ":3000/\${instance}" }\n    instances: 3\n    health: { tcp: "\${65534 + instance}" }\n    readiness: { http: ":\${instance}/" }`,
    [
      '4:20 apps.api.ready.http may say ${instance} as the port only, like ":${3000 + instance}/healthz"',
      '6:20 apps.api.health.tcp would be port 65536 for the last of 3 instances; the highest is 65535',
      '7:24 apps.api.readiness.http must be a path like /healthz, ":8080/healthz", a http:// or https:// URL or "unix:/run/app.sock:/healthz", but was ":${instance}/"',
    ],
  ],
  [
    'a NUL byte among the arguments',
    `${APP}    args: [a, "b\\0"]\n    env: { A: "\\0" }`,
    ['4:15 apps.api.args[1] holds a NUL byte', '5:15 apps.api.env.A holds a NUL byte'],
  ],

  [
    'a PM2 name',
    `${APP}    max_memory_restart: 300M\n    wait_ready: true\n    out_file: x.log`,
    [
      '4:5 unknown key "max_memory_restart" in apps.api; did you mean "limits.memory"?',
      '5:5 unknown key "wait_ready" in apps.api; did you mean "ready"?',
      '6:5 unknown key "out_file" in apps.api; did you mean "logs.out"?',
    ],
  ],
  [
    'PM2 names about logs',
    `${APP}    error_file: x\n    merge_logs: true\n    log_date_format: x\n    log_type: json`,
    [
      '4:5 unknown key "error_file" in apps.api; did you mean "logs.err"?',
      '5:5 unknown key "merge_logs" in apps.api; did you mean "logs.out"?',
      '6:5 unknown key "log_date_format" in apps.api; did you mean "logs.format"?',
      '7:5 unknown key "log_type" in apps.api; did you mean "logs.format"?',
    ],
  ],
  [
    'a log that is a folder by its name',
    `${APP}    logs: { out: logs/ }`,
    ['4:18 apps.api.logs.out must be a file, but "logs/" is a folder'],
  ],
  [
    'logs that are folders, as they are',
    `${APP}    logs: { out: ., err: /tmp }`,
    [
      '4:18 apps.api.logs.out must be a file, but "." is a folder',
      '4:26 apps.api.logs.err must be a file, but "/tmp" is a folder',
    ],
  ],
  [
    'a log without a name',
    `${APP}    logs: { out: "" }`,
    ['4:18 apps.api.logs.out must be the path of a file, or none, but was ""'],
  ],
  ['a NUL byte in the path of a log', `${APP}    logs: { out: "a\\0b" }`, ['4:18 apps.api.logs.out holds a NUL byte']],
  [
    'a log whose archives would have too long a name',
    `${APP}    logs: { out: ${'é'.repeat(101)} }`,
    ['4:18 apps.api.logs.out has a name of more than 200 bytes: those of its rotated files would be too long'],
  ],
  [
    'a log for both, and one for stderr',
    `defaults: { logs: { err: err.log } }\n${APP}    logs: { merge: true }`,
    ['1:26 apps.api.logs has both err and merge'],
  ],
  [
    'what cannot be worked out for an instance, and what is the same for all',
    `${APP}    logs: { out: "a\${instance * 2}.log", max_size: "\${instance}M" }`,
    [
      '4:20 apps.api.logs.out: ${instance * 2} cannot be worked out',
      '4:53 apps.api.logs.max_size is the same for every instance, so it cannot hold ${instance}',
    ],
  ],
  [
    'sizes, ages and numbers of logs that are none, or too small',
    `${APP}    logs:\n      max_size: 1K\n      total_size: 10M\n      max_age: 1s\n      keep: -1\n      keep_for: ever\n      format: xml\n      compress: lz4\n      rotation: size`,
    [
      '8:13 apps.api.logs.keep must be a whole number from 0 to 10000, but was -1',
      '9:17 apps.api.logs.keep_for must be a duration with a unit, like 150ms, 10s, 5m, 1h or 7d, but was "ever"',
      '10:15 apps.api.logs.format must be plain, time or json, but was "xml"',
      '11:17 apps.api.logs.compress must be gzip, zstd, none, true or false, but was "lz4"',
      '12:17 apps.api.logs.rotation must be auto, copytruncate or off, but was "size"',
    ],
  ],
  [
    'a log in the home of somebody',
    `${APP}    logs:\n      out: ~/api.log\n      err: ~ann/api.log`,
    [
      '5:12 apps.api.logs.out begins with ~, which means nothing here: write the whole path',
      '6:12 apps.api.logs.err begins with ~, which means nothing here: write the whole path',
    ],
  ],
  [
    'sizes and ages of logs that are too small',
    `${APP}    logs:\n      max_size: 1K\n      total_size: 10M\n      max_age: 1s\n      keep_for: 0s`,
    [
      '5:17 apps.api.logs.max_size must be at least 64K, but was "1K"',
      '6:19 apps.api.logs.total_size must be at least max_size, which is 1K, but was "10M"',
      '7:16 apps.api.logs.max_age must be at least 1m, but was "1s"',
      '8:17 apps.api.logs.keep_for must be at least 1ms, but was "0s"',
    ],
  ],
  [
    'a size without a unit',
    `${APP}    logs: { max_size: 1000000 }`,
    ['4:23 apps.api.logs.max_size: 1000000 has no unit; write 1000000M, 1000000K or 1000000G'],
  ],
  [
    'apps that write to one file in two ways',
    `${APP}    logs: { out: all.log }\n  web:\n    script: app.js\n    logs: { out: all.log, format: json }`,
    ['7:18 warning: apps.api and apps.web write to <folder>/all.log with different logs.format'],
  ],
  [
    'apps that write to one file and rotate it in two ways',
    `${APP}    logs: { out: all.log }\n  web:\n    script: app.js\n    logs: { err: all.log, keep: 3 }`,
    ['7:18 warning: apps.api and apps.web write to <folder>/all.log with different logs.rotation or limits'],
  ],
  [
    'a log that its own app watches',
    `${APP}    watch: [.]\n    logs: { out: out.txt }`,
    ['5:18 warning: apps.api restarts whenever it writes to <folder>/out.txt, which it watches'],
  ],
  [
    'a jitter that is no share',
    `${APP}    restart: { backoff: { jitter: 0.1 } }\n  web:\n    script: app.js\n    restart: { backoff: { jitter: 101% } }`,
    [
      '4:35 apps.api.restart.backoff.jitter must be a share from "0%" to "100%", but was 0.1',
      '7:35 apps.web.restart.backoff.jitter must be a share from "0%" to "100%", but was "101%"',
    ],
  ],
  [
    'exit codes that are none',
    `${APP}    restart: { success_exit_codes: [256], stop_exit_codes: [SIGTREM, 1000] }`,
    [
      '4:37 apps.api.restart.success_exit_codes[0] must be an exit code from 0 to 255 or a signal like SIGTERM, but was 256',
      '4:70 apps.api.restart.stop_exit_codes[1] must be an exit code from 0 to 255 or a signal like SIGTERM, but was 1000',
    ],
  ],
  [
    'a signal that is none',
    `${APP}    restart: { stop_exit_codes: [78, SIGTREM] }`,
    [
      '4:38 apps.api.restart.stop_exit_codes[1] must be an exit code from 0 to 255 or a signal like SIGTERM, but was "SIGTREM"; did you mean "SIGTERM"?',
    ],
  ],
  [
    'restart rules of a job',
    `${APP}    kind: job\n    restart: { policy: always, max: 1, window: 1s, stop_exit_codes: [1], backoff: { initial: 1s } }`,
    [
      '5:16 apps.api.restart.policy is not for a job: it runs and ends',
      '5:32 apps.api.restart.max is not for a job: it runs and ends',
      '5:40 apps.api.restart.window is not for a job: it runs and ends',
      '5:52 apps.api.restart.stop_exit_codes is not for a job: it runs and ends',
    ],
  ],
  [
    'what only a service has, for a job',
    `${APP}    kind: job\n    health: { tcp: 1 }\n    readiness: { tcp: 1 }\n    watch: true\n    hooks: { post_start: x }`,
    [
      '5:5 apps.api.health is not for a job: it runs and ends',
      '6:5 apps.api.readiness is not for a job: it runs and ends',
      '7:5 apps.api.watch is not for a job: it runs and ends',
      '8:14 apps.api.hooks.post_start is not for a job: it runs and ends',
    ],
  ],
  [
    'what only runs have, for a service',
    `${APP}    retries: 1\n    timeout: 1m\n    run: always\n    inputs: [app.js]\n    overlap: skip\n    missed: skip\n    history: 1`,
    [
      '4:5 apps.api.retries is only for kind: job or cron, but this is a service',
      '5:5 apps.api.timeout is only for kind: job or cron, but this is a service',
      '6:5 apps.api.run is only for kind: job, but this is a service',
      '7:5 apps.api.inputs is only for kind: job, but this is a service',
      '8:5 apps.api.overlap is only for kind: cron, but this is a service',
      '9:5 apps.api.missed is only for kind: cron, but this is a service',
      '10:5 apps.api.history is only for kind: cron, but this is a service',
    ],
  ],
  [
    'inputs of a job that are not there',
    `${APP}    kind: job\n    inputs: [app.js, "migrations/**/*.sql", no.json]`,
    [
      '5:22 apps.api.inputs[1] matches no file: "migrations/**/*.sql"',
      '5:45 apps.api.inputs[2] matches no file: "no.json"',
    ],
  ],
  [
    'a run that would time out at once',
    `${APP}    kind: job\n    timeout: 0s`,
    ['5:14 apps.api.timeout must be at least 1ms, but was "0s"'],
  ],
  [
    'a time that no timer can count',
    `${APP}    kind: job\n    timeout: 30d`,
    ['5:14 apps.api.timeout must be at most 24d, but was "30d"'],
  ],
  [
    'a history of nothing',
    `${APP}    kind: cron\n    schedule: "* * * * *"\n    history: 0\n    overlap: replaces`,
    [
      '6:14 apps.api.history must be a whole number from 1 to 1000, but was 0',
      '7:14 apps.api.overlap must be skip, queue or replace, but was "replaces"; did you mean "replace"?',
    ],
  ],
  [
    'message and exec of a stop',
    `${APP}    stop: { message: shutdown, exec: [sh] }`,
    ['4:32 apps.api.stop has both message and exec'],
  ],
  [
    'programs that are not there',
    `${APP}    stop: { exec: [no-such-program] }\n    hooks: { pre_start: [./no.sh], pre_stop: { run: [no-such-program, x] } }\n    health: { exec: ["app.js x"] }`,
    [
      '4:20 apps.api.stop.exec runs "no-such-program", which is not on its PATH',
      '5:26 apps.api.hooks.pre_start[0] does not exist: <folder>/no.sh',
      '5:54 apps.api.hooks.pre_stop.run runs "no-such-program", which is not on its PATH',
      '6:22 apps.api.health.exec runs "app.js x", which is not on its PATH',
    ],
  ],
  [
    'hooks that are none',
    `${APP}    hooks: { pre_strat: x, pre_stop: [], post_stop: { timeout: 1s } }`,
    [
      '4:14 unknown key "pre_strat" in apps.api.hooks; did you mean "pre_start"?',
      '4:38 apps.api.hooks.pre_stop must be a list (program and arguments), a text for the shell, or a map with run and timeout, but was a list',
    ],
  ],
  [
    'a hook without a command',
    `${APP}    hooks: { post_stop: { timeout: 1s } }`,
    ['4:14 apps.api.hooks.post_stop has no run'],
  ],
  [
    'limits without a unit, or none at all',
    `${APP}    limits: { memory: 512, cpu: 0 }\n  web:\n    script: app.js\n    limits: { memory: 512K }`,
    [
      '4:23 apps.api.limits.memory: 512 has no unit; write 512M, 512K or 512G',
      '4:33 apps.api.limits.cpu must be a number of CPUs above 0, like 0.5 or 2, but was 0',
      '7:23 apps.web.limits.memory must be at least 1M, but was "512K"',
    ],
  ],
  [
    'attributes out of range',
    `${APP}    umask: 027\n    nice: 20\n    oom_score_adj: 1001\n    ulimits: { nofile: many, core: 5, stack: 8Q, nprocs: 1 }`,
    [
      '4:12 apps.api.umask must be octal digits in quotes, like "027", but was 027',
      '5:11 apps.api.nice must be a whole number from -20 to 19, but was 20',
      '6:20 apps.api.oom_score_adj must be a whole number from -1000 to 1000, but was 1001',
      '7:24 apps.api.ulimits.nofile must be a whole number of at least 1, but was "many"',
      '7:36 apps.api.ulimits.core must be 0, unlimited or a size with a unit, like 512K, 300M or 1.5G, but was 5',
      '7:46 apps.api.ulimits.stack must be 0, unlimited or a size with a unit, like 512K, 300M or 1.5G, but was "8Q"',
      '7:50 unknown key "nprocs" in apps.api.ulimits; did you mean "nproc"?',
    ],
  ],
  [
    'accounts that do not exist',
    `${APP}    user: no-such-user\n    group: no-such-group`,
    [
      '4:11 apps.api.user does not exist on this machine: "no-such-user"',
      '5:12 apps.api.group does not exist on this machine: "no-such-group"',
    ],
  ],
  [
    'a dependency that is none',
    `${APP}    depends_on: { db: raedy, job: { condition: ready, restrat: true } }\n  db: { script: app.js }\n  job: { script: app.js }`,
    [
      '4:23 apps.api.depends_on.db must be started, ready or completed, or a map with condition and restart, but was "raedy"; did you mean "ready"?',
      '4:55 unknown key "restrat" in apps.api.depends_on.job; did you mean "restart"?',
    ],
  ],
  [
    'a restart with a job',
    `${APP}    depends_on: { job: { restart: true } }\n  job: { script: app.js, kind: job }`,
    ['4:19 apps.api.depends_on.job cannot have restart: job is a job, which ends and is not restarted'],
  ],
  [
    'a probe without a check',
    `${APP}    health: { interval: 5s }\n    readiness: { tcp: 1, exec: [sh] }`,
    ['4:5 apps.api.health has no check', '5:26 apps.api.readiness must have exactly one check, but has tcp and exec'],
  ],
  [
    'a probe that would do nothing but probe',
    `${APP}    health: { tcp: 1, interval: 1ms, timeout: 0s, failures: 0 }\n  web:\n    script: app.js\n    health: { tcp: 2, interval: 1ms, timeout: 0s, successes: 2 }`,
    [
      '4:61 apps.api.health.failures must be a whole number from 1 to 1000, but was 0',
      '7:33 apps.web.health.interval must be at least 10ms, but was "1ms"',
      '7:47 apps.web.health.timeout must be at least 1ms, but was "0s"',
      '7:62 apps.web.health.successes must be 1, but was 2',
    ],
  ],
  [
    'what goes with http only',
    `${APP}    health: { tcp: 1, status: [200], headers: { A: b }, body: x }`,
    [
      '4:23 apps.api.health.status goes with http, but there is none',
      '4:38 apps.api.health.headers goes with http, but there is none',
      '4:57 apps.api.health.body goes with http, but there is none',
    ],
  ],
  [
    'headers and a body that are none',
    `${APP}    ready: { http: ":1/", headers: { "a b": c } }\n  web:\n    script: app.js\n    ready: { http: ":2/", headers: { a: "b\\nc" }, body: "/(/" }\n  other:\n    script: app.js\n    ready: { http: ":2/", body: "/(/" }`,
    [
      '4:38 a key of apps.api.ready.headers must be the name of a header, but was "a b"',
      '7:41 apps.web.ready.headers.a must be a text without control characters, but was "b\\nc"',
      '10:33 apps.other.ready.body is no regular expression: /(/: Unterminated group',
    ],
  ],
  [
    'http addresses that are none',
    `${APP}    ready: { http: "ftp://x/" }\n  a: { script: app.js, ready: { http: "unix:" } }\n  b: { script: app.js, ready: { http: "https://me:secret@x/" } }\n  c: { script: app.js, health: { tcp: "http://x/" } }`,
    [
      '4:20 apps.api.ready.http must be a path like /healthz, ":8080/healthz", a http:// or https:// URL or "unix:/run/app.sock:/healthz", but was "ftp://x/"',
      '5:39 apps.a.ready.http must be a path like /healthz, ":8080/healthz", a http:// or https:// URL or "unix:/run/app.sock:/healthz", but was "unix:"',
      '6:39 apps.b.ready.http cannot hold a user name or password',
      '7:39 apps.c.health.tcp must be a port from 1 to 65535, "host:port" or a socket path, but was "http://x/"',
    ],
  ],
  [
    'watched files that are not there',
    `${APP}    watch: [app.js, "src/**"]\n  web:\n    script: app.js\n    watch: { paths: [nowhere], action: reboot }`,
    [
      '4:21 apps.api.watch[1] does not exist: <folder>/src/**',
      '7:40 apps.web.watch.action must be restart or reload, but was "reboot"',
    ],
  ],
]

describe('says what is wrong, and where, for', () => {
  test.each(TABLE)('%s', async (_, yaml, expected) => {
    const complaints = await complaintsOf(yaml)
    expect(headlines(complaints)).toEqual(
      expected.map((line) => (line.startsWith(' ') ? `ecosystem.yaml${line}` : `ecosystem.yaml:${line}`)),
    )
  })
})

test('prints all problems of a file at once, with the line, a squiggle and a hint', async () => {
  using project = new Project({
    'ecosystem.yaml': [
      'apps:',
      '  api:',
      '    script: app.js',
      '    instnaces: 2',
      '    stop: { timeout: 10 }',
      '  web:',
      '    command: [web-server]',
      '    listen: 3000',
      '  admin:',
      '    script: app.js',
      '    listen: [3000]',
      '    depends_on: [apii]',
    ].join('\n'),
  })
  expect(await project.complaints({ env: { PATH: '/usr/bin:/bin:/usr/local/bin' } })).toMatchInlineSnapshot(`
    "ecosystem.yaml:4:5 unknown key "instnaces" in apps.api; did you mean "instances"?
            instnaces: 2
            ~~~~~~~~~
    ecosystem.yaml:5:22 apps.api.stop.timeout: 10 has no unit; write 10s, 10ms or 10m
            stop: { timeout: 10 }
                             ~~
    ecosystem.yaml:7:15 apps.web runs "web-server", which is not on its PATH
            command: [web-server]
                      ~~~~~~~~~~
      hint: PATH is /usr/bin:/bin:/usr/local/bin
    ecosystem.yaml:11:14 apps.admin.listen: port 3000 is already declared by apps.web (line 8, column 13)
            listen: [3000]
                     ~~~~
    ecosystem.yaml:12:18 apps.admin.depends_on names an unknown app "apii"; did you mean "api"?
            depends_on: [apii]
                         ~~~~"
  `)
})

test('names the known environments when one is unknown', async () => {
  const yaml = `${APP}environments:\n  production: {}\n  staging: {}\n`
  expect(await complaintsOf(yaml, { environment: 'prodution' })).toMatchInlineSnapshot(`
    "ecosystem.yaml:4:1 unknown environment "prodution"; did you mean "production"?
        environments:
        ~~~~~~~~~~~~
      hint: environments of this file: production, staging"
  `)
})

test('reports what defaults say wrong once, not for every app', async () => {
  const yaml = 'defaults:\n  env: { A: "${NOT_SET}" }\napps:\n  a: { script: app.js }\n  b: { script: app.js }\n'
  expect(headlines(await complaintsOf(yaml))).toEqual([
    'ecosystem.yaml:2:14 apps.a.env.A: the variable NOT_SET is not set',
  ])
})

test('points into the overlay when the overlay is wrong', async () => {
  const yaml = `${APP}environments:\n  prod:\n    apps:\n      api: { cwd: nowhere }\n`
  const [headline] = headlines(await complaintsOf(yaml, { environment: 'prod' }))
  expect(headline).toBe('ecosystem.yaml:7:19 apps.api.cwd does not exist: <folder>/nowhere')
})

test('names the line of an env file that holds an invalid name', async () => {
  const complaints = await complaintsOf(`${APP}    env_file: bad.env`, {}, { 'bad.env': 'A=1\nMY-VAR=2\n' })
  expect(headlines(complaints)).toEqual([
    'ecosystem.yaml:4:15 apps.api.env_file: cannot use <folder>/bad.env: line 2 has the invalid name "MY-VAR"',
  ])
})

test('ends a secret command that takes too long', async () => {
  const yaml = `${APP}    env: { A: { from_command: [sh, -c, "sleep 30; echo x"] } }`
  const complaints = await complaintsOf(yaml, { env: { ECO_CONFIG_TIMEOUT_MS: '200' } })
  expect(headlines(complaints)).toEqual([
    'ecosystem.yaml:4:31 apps.api.env.A: the command "sh" did not finish within 200ms',
  ])
})

test('reads tens of thousands of aliases in no time', async () => {
  const aliases = Array.from({ length: 40_000 }, () => '- *a').join('\n    ')
  const begun = performance.now()
  await complaintsOf(`x-a: &a one\napps:\n  api:\n    script: app.js\n    args:\n    ${aliases}`)
  expect(performance.now() - begun).toBeLessThan(10_000) // quadratic, it took forty seconds and more
})

test('does not show what stands beside a secret under a mistyped key', async () => {
  const text = await complaintsOf(`${APP}    env: { KEY: { valeu: hunter2secret, secret: true } }`)
  expect(text).toContain('valeu')
  expect(text).not.toContain('hunter2')
})

test('does not show a block of a secret when the file cannot be parsed', async () => {
  const text = await complaintsOf(
    `${APP}    env:\n      KEY:\n        value: |\n          hunter2: [\n         x: hunter2\n    bad: [`,
  )
  expect(text).not.toContain('hunter2')
})

test('refuses aliases that would fill the memory, at once', async () => {
  const lines = ['x-0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]']
  for (let level = 1; level < 12; level++)
    lines.push(`x-${level}: &a${level} [${`*a${level - 1}, `.repeat(9)}*a${level - 1}]`)
  const started = performance.now()
  expect(await complaintsOf(lines.join('\n'))).toContain('more than 100000 values once its aliases are expanded')
  expect(performance.now() - started).toBeLessThan(3000)
})

test('makes control characters visible', async () => {
  const complaints = await complaintsOf(`${APP}    "instances\\e[31m": 2`)
  expect(complaints).not.toContain('\u001b')
})
