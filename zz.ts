import { parseConfiguration } from "./gate/config/load.ts";
import { compileSnapshot } from "./gate/config/compile.ts";
import { toyProtocols } from "./tests/gate/config/toy_protocols.ts";
const text = Deno.readTextFileSync(Deno.args[0]);
const t0=performance.now();
try { const l = await parseConfiguration([{file:"ugate.yaml",text}], toyProtocols, {get:(n)=>n==="ALICE_PASSWORD"?"hunter2":undefined});
console.log(JSON.stringify(l,null,1)); console.log(JSON.stringify(compileSnapshot(l.config,1),null,1)); } catch(e) { console.log(String(e)); }
console.log(performance.now()-t0);
