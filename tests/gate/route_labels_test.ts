import { routeLabels } from "../../gate/route_labels.ts";
import { equal } from "../support/assert.ts";

const labels = (...routes: Parameters<typeof routeLabels>[0]) => Object.fromEntries(routeLabels(routes));

Deno.test("a route is called by what it matches by, wherever it stands in the file", () => {
  const routes = (line: number) => [
    { place: `u.yaml:${line}:5 listeners.fwd`, listener: "fwd", protocol: "tcp" },
    { place: `u.yaml:${line + 1}:5 routes[0]`, listener: "edge", protocol: "tls", host: "*.example.com" },
    { place: `u.yaml:${line + 2}:5 routes[1]`, host: "*" },
    { place: `u.yaml:${line + 3}:5 routes[2]` },
    { place: `u.yaml:${line + 4}:5 routes[3]`, host: "a.test", path: { prefix: "/api" } },
    { place: `u.yaml:${line + 5}:5 routes[4]`, host: "a.test", path: { exact: "/api" } },
    {
      ...{ place: `u.yaml:${line + 6}:5 routes[5]`, path: { regex: "^/v[0-9]" }, method: ["PUT", "POST"] },
      ...{ headers: [{ name: "x-a", value: "1" }], query: [{ name: "b", value: "2" }] },
    },
  ];
  const names = [
    "listener=fwd protocol=tcp",
    "listener=edge protocol=tls host=*.example.com",
    "host=*",
    "*",
    "host=a.test path=/api",
    "host=a.test path=exact:/api",
    "path=regex:^/v[0-9] method=PUT,POST header:x-a=1 query:b=2",
  ];
  for (const line of [2, 70]) equal(Object.values(labels(...routes(line))), names);
});

Deno.test("routes that would be called the same are called by their places", () => {
  const route = (place: string, host: string) => ({ place, protocol: "tls", host });
  equal(labels(route("u.yaml:3:5", "a.test"), route("u.yaml:4:5", "b.test"), route("u.yaml:5:5", "a.test")), {
    "u.yaml:3:5": "u.yaml:3:5",
    "u.yaml:4:5": "protocol=tls host=b.test",
    "u.yaml:5:5": "u.yaml:5:5",
  });
});
