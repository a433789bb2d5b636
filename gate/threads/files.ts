/// <reference lib="deno.worker" />
/** The entry file of the thread of files: what serves one connection goes in, and they are waited for. */
import { startFiles } from "../files_thread.ts";
import { serveFiles } from "../../protocols/http/files/serve_files.ts";

startFiles(serveFiles);
