export { createQemuDriver, type QemuDriverOptions } from "./qemu_driver.ts";
