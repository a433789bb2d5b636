/// <reference lib="deno.worker" />
/** The entry file of the thread that parses a configuration: the registry goes in, the texts are waited for. */
import { startParser } from "../config/parser_thread.ts";
import { protocols } from "../../protocols/mod.ts";

startParser(protocols);
