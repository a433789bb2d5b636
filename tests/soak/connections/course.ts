/** Connections of every kind that the gate tells apart and passes on. */
import type { Course } from "../course.ts";
import { KINDS } from "./kinds.ts";
import { configuration, DOORS, type Servers } from "./world.ts";

export const CONNECTIONS: Course<Servers> = {
  name: "connections",
  unit: "connections",
  kinds: KINDS,
  doors: DOORS,
  clients: new URL("./clients.ts", import.meta.url),
  servers: new URL("./servers.ts", import.meta.url),
  processes: 2,
  atOnce: 160,
  spare: 0,
  configuration,
};
