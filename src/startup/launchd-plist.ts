/** The launchd job of the daemon (launchd.plist(5)). Pure. */

import { writeMark } from './mark.ts'
import { type Service, START_SCRIPT } from './service.ts'

/**
 * KeepAlive only after a failure: "eco daemon stop" means it. AbandonProcessGroup: the apps go on without the daemon.
 * launchd does not say whether the machine goes down; the apps get SIGTERM from the kernel then, in no order.
 */
export function renderLaunchd(service: Service): string {
  const { name, scope, user, home, node, daemon } = service
  const args = ['/bin/sh', '-c', START_SCRIPT, 'eco', node, daemon]
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- ${writeMark(service)} -->
<!-- "eco startup" writes this file anew, "eco unstartup" removes it. -->
<plist version="1.0">
<dict>
  <key>Label</key><string>${escape(`eco.${name}`)}</string>
${scope === 'system' ? `  <key>UserName</key><string>${escape(user)}</string>\n` : ''}  <key>ProgramArguments</key>
  <array>
${args.map((it) => `    <string>${escape(it)}</string>`).join('\n')}
  </array>
  <key>EnvironmentVariables</key>
  <dict>
    <key>ECO_HOME</key><string>${escape(home)}</string>
    <key>ECO_UNIT</key><string>${escape(`${scope}/eco.${name}`)}</string>
  </dict>
  <key>WorkingDirectory</key><string>/</string>
  <key>RunAtLoad</key><true/>
  <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>
  <key>AbandonProcessGroup</key><true/>
  <key>ProcessType</key><string>Interactive</string>
  <key>SoftResourceLimits</key><dict><key>NumberOfFiles</key><integer>65536</integer></dict>
</dict>
</plist>
`
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
