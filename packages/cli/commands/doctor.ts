import process from "node:process";
import { exitCodes } from "../exit_codes.ts";
import { formatTable } from "../format.ts";
import { paint, printJson, printLine } from "../output.ts";
import { examineHost, type HostReport } from "../doctor/examine_host.ts";
import type { DataDirOptions, JsonOption } from "./options.ts";
import { serverConfig } from "./server_config.ts";

/** Everything doctor looks at has a deadline of its own; this one bounds the whole. */
const doctorDeadlineMs = 60_000;

export async function doctorCommand(options: JsonOption & DataDirOptions): Promise<void> {
  const report = await examineHost(serverConfig(options), AbortSignal.timeout(doctorDeadlineMs));
  if (options.json) printJson(report);
  else printLine(renderReport(report));
  process.exitCode = report.ok ? exitCodes.ok : exitCodes.failure;
}

export function renderReport(report: HostReport): string {
  const sign = { ok: "ok", warning: "note", missing: "MISSING" };
  const rows = [
    ...report.checks.map((check) => [check.name, sign[check.status], check.detail]),
    ["image", report.image.present ? "ok" : "note", report.image.detail],
  ];
  const drivers = report.drivers.map((driver) => [
    driver.name,
    driver.works ? "works" : "no",
    driver.works
      ? [driver.version, driver.capabilities.join(", "), ...driver.notes].filter(Boolean).join("; ")
      : driver.problems.join("; "),
  ]);
  const lines = [
    paint(`Paddock ${report.version} on this host`, "bold"),
    "",
    formatTable(["CHECK", "", ""], rows),
    "",
    formatTable(["DRIVER", "", ""], drivers),
    "",
    report.ok
      ? paint("This host can run sandboxes.", "green")
      : paint("This host cannot run sandboxes.", "red"),
  ];
  if (report.fixes.length > 0) {
    lines.push(report.ok ? "It would do better after:" : "What to do:");
    lines.push(...report.fixes.map((fix) => `  ${fix}`));
  }
  return lines.join("\n");
}
