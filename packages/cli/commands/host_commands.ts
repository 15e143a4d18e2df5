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

  const list = image.command("ls").alias("list").description("Lists the images that were built.");
  dataDirOption(jsonOption(list));
  examples(list, [["paddock image ls", ""]]);
  list.action(async (options) => {
    const { imageList } = await import("./image.ts");
    await imageList(options);
  });
}
