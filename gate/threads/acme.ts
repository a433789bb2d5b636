/// <reference lib="deno.worker" />
/** The entry file of the thread that orders certificates: it waits for the terms, then for orders. */
import { startOrders } from "../acme/order_thread.ts";

startOrders();
