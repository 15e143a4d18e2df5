import { type Command } from "commander";
import { dataDirOption, examples, jsonOption } from "./options.ts";

export function addHostCommands(program: Command): void {
  const doctor = program.command("doctor")
    .summary("say what this host can run, and what is missing")
    .description(
      "Looks at this host, boots something with each driver, and names the command that fixes what " +
        "is missing. Ends with 0 when at least one driver works, else with 1.",
    );
  dataDirOption(jsonOption(doctor));
  examples(doctor, [
    ["sudo paddock doctor", "as a table"],
    ["paddock doctor --json", "for programs"],
  ]);
  doctor.action(async (options) => {
    const { doctorCommand } = await import("./doctor.ts");
    await doctorCommand(options);
  });

  const ca = program.command("ca")
    .summary("print the authority that preview URLs are trusted with")
    .description(
      "Prints the path of the certificate authority that was made at the first start, for programs " +
        "and browsers that open preview URLs; in a terminal also how they are told.",
    );
  dataDirOption(jsonOption(ca));
  examples(ca, [
    ["export NODE_EXTRA_CA_CERTS=$(paddock ca)", "Node trusts preview URLs"],
    ["export DENO_CERT=$(paddock ca)", "Deno does"],
  ]);
  ca.action(async (options) => {
    const { caCommand } = await import("./ca.ts");
    await caCommand(options);
  });

  const setup = program.command("setup")
    .summary("install what a kind of machine needs")
    .description("Installs programs that Paddock does not bring along, below the data directory.");

  const firecracker = setup.command("firecracker")
    .description(
      "Installs Firecracker and its jailer: programs of this host that you name, or the project's own " +
        "release, which is downloaded and compared with its checksum. The checksum that a release " +
        "publishes beside itself shows a broken download; give the one you trust with --sha256.",
    )
    .option("--binary <file>", "a firecracker program of this host, instead of a download")
    .option("--jailer <file>", "the jailer of the same version")
    .option(
      "--release <version>",
      "the release to download (default: the one Paddock is tested with)",
    )
    .option("--from <url>", "a mirror, laid out as the project's releases are")
    .option("--sha256 <digest>", "what the downloaded archive has to be");
  dataDirOption(jsonOption(firecracker));
  examples(firecracker, [
    ["sudo paddock setup firecracker", "downloads the pinned release"],
    ["sudo paddock setup firecracker --binary ./firecracker --jailer ./jailer", "takes these two"],
  ]);
  firecracker.action(async (options) => {
    const { setupFirecracker } = await import("./setup.ts");
    await setupFirecracker(options);
  });

  const image = program.command("image")
    .summary("build and list guest images")
    .description("The guest image is the root file system that every sandbox starts from.");

  const build = image.command("build")
    .description("Builds the guest image for this version, unless it is there.");
  dataDirOption(jsonOption(build));
  examples(build, [["sudo paddock image build", "takes a few minutes the first time"]]);
  build.action(async (options) => {
    const { imageBuild } = await import("./image.ts");
    await imageBuild(options);
  });

  const vscode = image.command("vscode")
    .description(
      "Installs VS Code for sandboxes, unless it is there. It is one directory that all sandboxes " +
        "of this host see; without this command the first call that asks for an editor installs it.",
    );
  dataDirOption(jsonOption(vscode));
  examples(vscode, [["sudo paddock image vscode", "downloads about 150 MB"]]);
  vscode.action(async (options) => {
    const { imageVscode } = await import("./image.ts");
    await imageVscode(options);
  });

  const list = image.command("ls").alias("list").description("Lists the images that were built.");
  dataDirOption(jsonOption(list));
  examples(list, [["paddock image ls", ""]]);
  list.action(async (options) => {
    const { imageList } = await import("./image.ts");
    await imageList(options);
  });
}
