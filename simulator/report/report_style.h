// The style sheet of the HTML report.
#pragma once

namespace devicetrust::simulator {

inline constexpr const char* kReportStyle = R"css(
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--soft:#59636e;--hair:#d4dae0;
  --tint:#f4f6f8;--accent:#0b5cad;--bad:#b3261e;--good:#1a6e32;--warn:#855300;--band:#f3c9a5;
--c0:#0b5cad;--c1:#b4540a;--c2:#1a7f5a;--c3:#8b3fa8;--c4:#a3293d;--c5:#5d6b00;--c6:#007a94;
  --c7:#6b5546}
@media(prefers-color-scheme:dark){:root{--ink:#e8ebee;--paper:#16191d;--soft:#a5afb9;
  --hair:#343b43;--tint:#1e2328;--accent:#7db8f5;--bad:#ffb4ab;--good:#7fd694;--warn:#f3bd6b;
  --band:#6a4526;
--c0:#7db8f5;--c1:#f5a65b;--c2:#6fd6ac;--c3:#d49bea;--c4:#ff9aa8;--c5:#c5d465;--c6:#66d0e6;
  --c7:#cdb7a6}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif;
  font-variant-numeric:tabular-nums}
main{max-width:62rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.75rem 0 .75rem;padding-top:.75rem;border-top:1px solid var(--hair)}
p,ul{margin:.5rem 0}.soft,figcaption span{color:var(--soft)}
.verdict{display:inline-block;font-weight:700;padding:.1rem .7rem;border-radius:99px;
  border:2px solid;letter-spacing:.04em;margin-right:.6rem;vertical-align:.15em;font-size:1rem}
.PASS,.holds{color:var(--good)}.FAIL,.fails{color:var(--bad)}.INVALID{color:var(--warn)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9rem,1fr));gap:.75rem;
  margin:1.25rem 0;padding:0;list-style:none}
.tiles li{background:var(--tint);border-radius:.5rem;padding:.7rem .9rem}
.tiles b{display:block;font-size:1.45rem;line-height:1.2}.tiles span{color:var(--soft);
  font-size:.875rem}
.bad{border-left:4px solid var(--bad);padding:.25rem .9rem;margin:1rem 0;background:var(--tint)}
.bad li{overflow-wrap:anywhere}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9375rem}
th{color:var(--soft);font-weight:400;text-align:right;padding:.3rem .6rem;white-space:nowrap}
td{text-align:right;padding:.3rem .6rem;border-top:1px solid var(--hair);white-space:nowrap}
th:first-child,td:first-child{text-align:left;padding-left:0;white-space:normal}td.text,th.text{
  text-align:left;white-space:normal}
.bar{display:block;height:.55rem;border-radius:.2rem;background:var(--c0);min-width:2px}
  .bar.denied{background:var(--c4)}
td.wide{width:40%}
figure{margin:1.25rem 0 1.75rem;break-inside:avoid}figcaption{margin-bottom:.3rem}
.legend{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;font-size:.875rem;
  margin:.2rem 0 .5rem}
.legend i{display:inline-block;width:1.1rem;height:0;border-top:3px solid;margin-right:.4rem;
  vertical-align:.25em}.legend i.dashed{border-top-style:dashed}
.legend i.band{height:.8rem;border:0;background:var(--band);vertical-align:-.1em}
.plot{display:grid;grid-template:13rem 1.5rem/4.6rem 1fr}
.ys,.xs,.plot .area{position:relative}.xs{grid-column:2}
.ys span{position:absolute;right:.5rem;transform:translateY(50%);font-size:.8125rem;
  color:var(--soft);white-space:nowrap}
.xs span{position:absolute;transform:translateX(-50%);font-size:.8125rem;color:var(--soft);
  white-space:nowrap;padding-top:.2rem}
.xs span.first{transform:none}.xs span.last{transform:translateX(-100%)}
svg{position:absolute;inset:0;width:100%;height:100%;overflow:visible}
path{vector-effect:non-scaling-stroke;fill:none}.grid{stroke:var(--hair);stroke-width:1}
.line{stroke:currentColor;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}path.area{
  fill:currentColor;fill-opacity:.14}
.line.dashed{stroke-dasharray:5 5}rect.band{fill:var(--band);opacity:.75}
.hint{fill:transparent}.hint:hover{fill:var(--soft);fill-opacity:.16}
.c0{color:var(--c0)}.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}.c4{
  color:var(--c4)}.c5{color:var(--c5)}.c6{color:var(--c6)}.c7{color:var(--c7)}
.story{margin:1rem 0 1.75rem;break-inside:avoid}.story h3{font-size:1rem;margin:0}
.steps{list-style:none;padding:0;margin:.5rem 0}
.steps li{display:grid;grid-template-columns:13rem 5.5rem 1fr;gap:0 .75rem;padding:.25rem 0;
  border-top:1px solid var(--hair);font-size:.9375rem;align-items:center}
.steps .took{text-align:right}.steps .track{position:relative;height:.6rem;background:var(--tint);
  border-radius:.2rem}
.steps .track i{position:absolute;height:100%;background:var(--c0);border-radius:.2rem;
  min-width:2px}
.steps small{grid-column:1/-1;color:var(--soft);overflow-wrap:anywhere}
code{font:.9em ui-monospace,monospace;background:var(--tint);padding:.1em .35em;
  border-radius:.25em;overflow-wrap:anywhere}
@media(max-width:40rem){body{font-size:15px}h1{font-size:1.35rem}.tiles{
  grid-template-columns:1fr 1fr}.xs .odd{display:none}.plot{grid-template-columns:3.9rem 1fr;
  grid-template-rows:11rem 1.5rem}
.steps li{grid-template-columns:1fr auto}.steps .track{grid-column:1/-1;margin:.2rem 0}td.wide{
  width:22%}th,td{padding:.3rem .35rem}}
@media print{:root{color-scheme:light}body{font-size:10.5pt}main{max-width:none;padding:0}.hint{
  display:none}*{print-color-adjust:exact;-webkit-print-color-adjust:exact}h2{break-after:avoid}tr{
  break-inside:avoid}}
)css";

}  // namespace devicetrust::simulator
