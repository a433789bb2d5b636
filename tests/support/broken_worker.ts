/** A thread that breaks when it is asked. */
/// <reference lib="deno.worker" />
self.onmessage = () => {
  throw new Error("broken on purpose");
};
