import { ARC_PALETTE, RIGHT, WRONG } from './palette.js';

/** Ten squares, the report's ornament. */
export function paletteStrip(): string {
  return `<div class="strip" aria-hidden="true">${ARC_PALETTE.map((color) => `<i style="background:${color}"></i>`).join('')}</div>`;
}

/** The report's own style sheet: system fonts, no network, light or dark as the reader's system is. */
export const REPORT_CSS = `
:root{color-scheme:light dark;--paper:#f6f7f9;--card:#fff;--ink:#1b2430;--soft:#5b6675;--line:#e2e6eb;--well:#f1f3f6;
--accent:#0072b2;--right:${RIGHT};--wrong:${WRONG};--shadow:0 1px 2px rgba(20,30,45,.05),0 6px 20px rgba(20,30,45,.05)}
@media(prefers-color-scheme:dark){:root{--paper:#0e1217;--card:#161c24;--ink:#e7ecf2;--soft:#98a4b3;--line:#28313c;
--well:#1c232d;--accent:#4fb0e6;--right:#2fc79a;--wrong:#f08a3c;--shadow:none}
.plots [stroke="#0072B2" i]{stroke:#4fb0e6}.plots [fill="#0072B2" i]{fill:#4fb0e6}}
*{box-sizing:border-box}
html{scroll-behavior:smooth;-webkit-text-size-adjust:100%}
@media(prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main,.hero>div{max-width:1080px;margin:0 auto;padding:0 28px}
.hero{padding:56px 0 36px;background:var(--card);border-bottom:1px solid var(--line)}
.strip{display:flex;gap:4px;margin-bottom:22px}
.strip i{width:16px;height:16px;border-radius:3px;box-shadow:inset 0 0 0 1px rgba(128,138,150,.35)}
h1{font-size:clamp(28px,4.4vw,42px);line-height:1.12;letter-spacing:-.022em;margin:0 0 12px;font-weight:720;text-wrap:balance}
.lead{font-size:18px;color:var(--soft);max-width:66ch;margin:0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:14px;margin:30px 0 0;padding:0}
.tile{background:var(--well);border-radius:14px;padding:16px 18px 14px}
.tile dt{font-size:13px;color:var(--soft)}
.tile dd{margin:2px 0 0;font-size:32px;line-height:1.15;font-weight:680;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.tile dd small{display:block;font-size:13px;line-height:1.5;font-weight:400;letter-spacing:0;color:var(--soft)}
.facts{display:flex;flex-wrap:wrap;gap:6px 28px;margin:22px 0 0;padding:0;font-size:14px}
.facts div{display:flex;gap:8px}.facts dt{color:var(--soft)}.facts dd{margin:0;font-variant-numeric:tabular-nums}
nav{position:sticky;top:0;z-index:2;background:var(--paper);background:color-mix(in srgb,var(--paper) 88%,transparent);backdrop-filter:blur(10px);border-bottom:1px solid var(--line)}
nav ul{max-width:1080px;margin:0 auto;padding:0 28px;display:flex;gap:24px;overflow-x:auto;list-style:none;font-size:14px;scrollbar-width:none}
nav a{display:block;padding:11px 0;color:var(--soft);text-decoration:none;white-space:nowrap}nav a:hover,nav a:focus-visible{color:var(--accent)}
section{padding:44px 0 6px;scroll-margin-top:40px}
h2{font-size:25px;line-height:1.25;letter-spacing:-.014em;margin:0 0 8px;font-weight:680}
h3{font-size:15px;margin:0;font-weight:620;overflow-wrap:anywhere}
p{margin:0 0 14px;max-width:70ch;color:var(--soft)}
code{font:.9em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:var(--well);border-radius:5px;padding:.1em .35em}
:not(pre)>code{white-space:nowrap}
pre{font:13px/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;background:var(--well);border-radius:10px;padding:12px 16px;overflow-x:auto;margin:0 0 16px}
.card{background:var(--card);border:1px solid var(--line);border-radius:16px;padding:20px 22px;margin:16px 0;box-shadow:var(--shadow)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:15px;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);font-size:14px;padding-bottom:8px}
th{text-align:left;font-size:13px;font-weight:500;color:var(--soft);padding:6px 18px 8px 0;border-bottom:1px solid var(--line);white-space:nowrap}
td{white-space:nowrap;padding:8px 18px 8px 0;border-bottom:1px solid var(--line)}tbody tr:last-child td{border-bottom:0}
tbody th{font:inherit;color:inherit;border-bottom:1px solid var(--line);padding:8px 18px 8px 0}tbody tr:last-child th{border-bottom:0}
th.n,td.n{text-align:right}th:last-child,td:last-child{padding-right:0}
.up{color:var(--right);font-weight:600}.down{color:var(--wrong);font-weight:600}.same{color:var(--soft)}
.dumbbell{display:block;width:190px;height:18px}
.dumbbell .track{stroke:var(--line)}.dumbbell .way{stroke:var(--accent);stroke-opacity:.45}
.dumbbell .from{fill:var(--card);stroke:var(--soft)}.dumbbell .to{fill:var(--accent)}
.key{font-size:13px;color:var(--soft);margin:10px 0 0}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr));gap:16px;margin:16px 0}
.plots{align-items:start}.plots .card{margin:0}.plots svg,figure svg{display:block}.plots text{fill:var(--soft)}.plots .role-title text{fill:var(--ink)}
figure{margin:0}
.task-head{display:flex;flex-wrap:wrap;align-items:center;gap:4px 12px;margin-bottom:14px}
.badge{font-size:12px;line-height:1;font-weight:620;border-radius:99px;padding:5px 10px;background:var(--well);color:var(--soft);white-space:nowrap}
.badge.right{color:var(--right)}.badge.wrong{color:var(--wrong)}
.grids{display:flex;flex-wrap:wrap;align-items:center;gap:14px 26px}
.grids.top{align-items:flex-start;gap:14px}.grids.wide{gap:18px 40px}
.pair{display:flex;align-items:center;gap:8px}.pair>span{color:var(--soft);font-size:17px}
.unknown{display:grid;place-items:center;min-width:44px;min-height:44px;border:1.5px dashed var(--line);border-radius:8px;color:var(--soft);font-weight:600}
.test{margin-top:18px;padding-top:16px;border-top:1px solid var(--line);align-items:flex-start;gap:16px 22px}
.g{min-width:0}.g figcaption{font-size:12px;line-height:1.4;color:var(--soft);margin-bottom:6px;white-space:nowrap}
.g .after{margin:6px 0 0}.g .right{color:var(--right);font-weight:600}.g .wrong{color:var(--wrong)}
.test .then{align-self:center;color:var(--soft);font-size:17px}
.rule{align-self:stretch;width:1px;background:var(--line)}
.group{display:flex;flex-direction:column;gap:8px}.group>span{font-size:12px;color:var(--soft)}
footer{max-width:1080px;margin:48px auto 0;padding:18px 28px 40px;border-top:1px solid var(--line);color:var(--soft);font-size:13px}
@media(max-width:600px){main,.hero>div,nav ul,footer{padding-left:16px;padding-right:16px}.card{padding:16px}.hero{padding:36px 0 26px}.rule{display:none}}
@media print{nav{display:none}body{background:#fff}.card{break-inside:avoid;box-shadow:none}}
`.trim();
