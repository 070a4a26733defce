package report

// stylesheet is the look of the HTML form. The colours of the verdicts keep a
// contrast of 4.5 to 1 or more on both backgrounds.
const stylesheet = `:root { color-scheme: light dark; --bg: #fff; --fg: #1d2126; --quiet: #5c6670; --line: #d9dee3; --code: #f3f5f7;
  --healthy: #1a7037; --at-risk: #8a5a00; --broken: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --bg: #16191d; --fg: #e3e7eb; --quiet: #98a3ad; --line: #333a41; --code: #20252a;
  --healthy: #5fca80; --at-risk: #e3b04b; --broken: #ff8a80; } }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; background: var(--bg); color: var(--fg);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.35rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 0; }
h3 { font-size: .9rem; margin: .8rem 0 .2rem; color: var(--quiet); }
p { margin: .3rem 0; }
ul, ol { margin: .2rem 0; padding-left: 1.4rem; }
section { margin: 1.2rem 0; padding: .8rem 1rem; border: 1px solid var(--line); border-radius: 6px; }
pre { margin: .3rem 0; padding: .5rem .7rem; background: var(--code); border-radius: 4px; overflow-x: auto; overflow-wrap: normal;
  font: .9rem/1.45 ui-monospace, monospace; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dt { color: var(--quiet); } dd { grid-column: 2; margin: 0; }
.healthy { color: var(--healthy); } .at-risk { color: var(--at-risk); } .broken, .failed { color: var(--broken); }
.quiet, footer { color: var(--quiet); } .quiet { font-weight: normal; } .says { font-size: 1.05rem; } .status { font-weight: 600; }
.track { list-style: none; padding: 0; } .track li { display: inline; } .track li:not(.failed) { white-space: nowrap; } .track li + li::before { content: " → "; color: var(--quiet); }
details { margin: .6rem 0; } summary { cursor: pointer; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; } th, td { padding: .15rem .8rem .15rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
footer { margin-top: 1.5rem; font-size: .85rem; }
`
