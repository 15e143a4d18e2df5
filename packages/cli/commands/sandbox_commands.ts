import { type Command, Option } from "commander";
import {
  collectPairs,
  collectVolumes,
  parseDurationArgument,
  parseMemory,
} from "../parse_values.ts";
import { addExposureCommands } from "./exposure_commands.ts";
import { addCheckpointCommands } from "./checkpoint_commands.ts";
import { addForkCommands } from "./fork_commands.ts";
import { connectionOptions, examples, jsonOption } from "./options.ts";

export function addSandboxCommands(program: Command): void {
  addCreate(program);
  addList(program);
  addExec(program);
  addShell(program);
  addSsh(program);
  addEval(program);
  addCopy(program);
  addExposureCommands(program);
  addForkCommands(program);
  addCheckpointCommands(program);
  addLogs(program);
  addExtend(program);
  addKill(program);
}

function creationOptions(command: Command): Command {
  return command
    .option(
      "-m, --memory <size>",
      "memory, such as 1GiB (default: the server's, 512 MiB)",
      parseMemory,
    )
    .option("-l, --label <key=value>", "a label to find it by; repeatable", collectPairs("label"))
    .option("-e, --env <key=value>", "an environment variable; repeatable", collectPairs("env"))
    .option(
      "-v, --volume <path=volume>",
      "mount a volume or a snapshot at a path; repeatable",
      collectVolumes,
    )
    .option("--template <name>", "make it from a template")
    .option("--checkpoint <name>", "go on from a checkpoint, by id or name")
    .option("--root <volume>", "boot from a volume or a snapshot instead of the image")
    .option("-r, --region <code>", "the region (default: its volumes', or the server's first)")
    .option("--driver <name>", "firecracker, gvisor or qemu, where the operator allows a choice");
}

function addCreate(program: Command): void {
  const command = program.command("create")
    .summary("create a sandbox and print its id")
    .description("Creates a sandbox that lives for a while on its own, and prints its id.")
    .option(
      "-t, --timeout <duration>",
      "how long it lives: 90s, 10m, 2h",
      parseDurationArgument,
      "5m",
    )
    .option(
      "--pause-after-idle <duration>",
      "pause it when nobody was connected for this long",
      parseDurationArgument,
    );
  connectionOptions(jsonOption(creationOptions(command)));
  examples(command, [
    ["paddock create", "one that lives five minutes"],
    ["paddock create -t 30m -m 1GiB", "longer, and larger"],
    ["paddock create -l user=ada -e PLAN=pro", "with a label and a variable"],
    ["paddock create --template node-app", "with what a template has, running"],
    ["paddock create -v /data=cache --root box", "from a volume, and with another one"],
    ["id=$(paddock create) && paddock exec $id -- ls", "use it from a script"],
  ]);
  command.action(async (options) => {
    const { createCommand } = await import("./create.ts");
    await createCommand(options);
  });
}

function addList(program: Command): void {
  const command = program.command("ls").alias("list")
    .summary("list sandboxes")
    .description("Lists running sandboxes, newest first.")
    .option("-a, --all", "ended ones too")
    .option("-q, --quiet", "print ids alone")
    .option(
      "-l, --label <key=value>",
      "only those with this label; repeatable",
      collectPairs("label"),
    );
  connectionOptions(jsonOption(command));
  examples(command, [
    ["paddock ls", "what runs now"],
    ["paddock ls --all --label user=ada", "all that ada ever had"],
    ["paddock ls -q | xargs paddock kill", "end them all"],
    ["paddock ls --json", "for programs"],
  ]);
  command.action(async (options) => {
    const { listCommand } = await import("./list.ts");
    await listCommand(options);
  });
}

function addExec(program: Command): void {
  const command = program.command("exec")
    .summary("run a command in a sandbox")
    .description(
      "Runs a command in a sandbox as user `sandbox`. Standard input, output and error are passed " +
        "through, so are signals, and the exit code is the command's.",
    )
    .argument("<id>", "the sandbox")
    .argument("<command...>", "the command and its arguments, after --")
    .passThroughOptions()
    .option("-e, --env <key=value>", "an environment variable; repeatable", collectPairs("env"))
    .option("-w, --cwd <dir>", "the directory to run in (default: /home/sandbox)")
    .option("-n, --no-stdin", "give the command no input")
    .option("-t, --tty", "run it in a terminal, which this one becomes")
    .option("--sudo", "run as root (in the sandbox)")
    .option("--verbose", "print an error's stack");
  connectionOptions(command);
  examples(command, [
    ["paddock exec $id -- ls -la", "a program with arguments"],
    ["paddock exec $id -- sh -c 'ps aux | wc -l'", "a shell line"],
    ["paddock exec $id -- wc -c < photo.jpg", "with input from here"],
    ["paddock exec --sudo $id -- apt-get update", "as root"],
    ["paddock exec -e PORT=80 -w /app $id -- env", "with a variable, elsewhere"],
  ]);
  command.addHelpText(
    "after",
    "\nExit codes: the command's own; 125 Paddock failed; 126 cannot be\n" +
      "executed; 127 not found; 128+N ended by signal N.",
  );
  command.action(async (id, words, options) => {
    const { execCommand } = await import("./exec.ts");
    await execCommand(id, words, options);
  });
}

function addShell(program: Command): void {
  const command = program.command("shell")
    .summary("open a terminal in a sandbox")
    .description(
      "Opens a shell, or the given command, in a terminal of its own in a sandbox, as user `sandbox`. " +
        "Keys, colours and the window's size are passed on, and the exit code is the shell's. " +
        "`~.` at the start of a line hangs up; `~~` types a tilde there.",
    )
    .argument("<id>", "the sandbox")
    .argument("[command...]", "a command and its arguments, after -- (default: bash)")
    .passThroughOptions()
    .option("-e, --env <key=value>", "an environment variable; repeatable", collectPairs("env"))
    .option("-w, --cwd <dir>", "the directory to start in (default: /home/sandbox)")
    .option("--verbose", "print an error's stack");
  connectionOptions(command);
  examples(command, [
    ["paddock shell $id", "a shell"],
    ["paddock shell $id -- python3", "another program"],
    ["paddock shell -w /app $id -- vim main.ts", "elsewhere"],
  ]);
  command.action(async (id, words, options) => {
    const { shellCommand } = await import("./shell.ts");
    await shellCommand(id, words, options);
  });
}

function addSsh(program: Command): void {
  const command = program.command("ssh")
    .summary("reach a sandbox by SSH")
    .description(
      "Runs this machine's `ssh` for a shell, or the given command, in a sandbox: with a user name that " +
        "is made for it and withdrawn afterwards, and the server's key checked. A server on another " +
        "machine must be reachable on its SSH port.",
    )
    .argument("<id>", "the sandbox")
    .argument("[command...]", "a command line, after -- (default: a shell)")
    .passThroughOptions()
    .option(
      "-L, --forward <[address:]port:host:port>",
      "a port here that leads to one in the sandbox; repeatable",
      (value: string, all: string[] = []) => [...all, value],
    )
    .option("--print", "print the command for any SSH client, and keep the user name")
    .option("--verbose", "print an error's stack");
  connectionOptions(command);
  examples(command, [
    ["paddock ssh $id", "a shell"],
    ["paddock ssh $id -- uname -a", "a command"],
    ["paddock ssh -L 8080:localhost:8000 $id", "with the sandbox's port 8000 as 8080 here"],
    ["paddock ssh --print $id", "for scp, an editor, or another machine"],
  ]);
  command.action(async (id, words, options) => {
    const { sshCommand } = await import("./ssh.ts");
    await sshCommand(id, words, options);
  });
}

function addEval(program: Command): void {
  const command = program.command("eval")
    .summary("evaluate JavaScript or TypeScript in a sandbox")
    .description(
      "Evaluates code in a sandbox and prints the value of its last expression. Without an id a " +
        "sandbox is made for it and thrown away. `-` reads the code from standard input.",
    )
    .argument("[id]", "the sandbox; a new one when not given")
    .argument("<code>", "the code, or - for standard input");
  connectionOptions(jsonOption(creationOptions(command), "print the value as JSON"));
  examples(command, [
    ["paddock eval '1 + 1'", "in a new sandbox"],
    [`paddock eval $id 'await Deno.readTextFile("a.txt")'`, "in one that is there"],
    ["paddock eval --json 'Deno.version' | jq -r .deno", "for programs"],
    ["paddock eval - < script.ts", "code from a file"],
  ]);
  // The optional argument comes first, so both are taken as they are and told apart by number.
  command.registeredArguments[1].required = false;
  command.action(async (first, second, options) => {
    const { evalCommand } = await import("./eval.ts");
    await evalCommand(first, second, options);
  });
}

function addCopy(program: Command): void {
  const command = program.command("cp")
    .summary("copy files between here and a sandbox")
    .description(
      "Copies a file or a directory into a sandbox or out of it. A path in a sandbox is ID:PATH; " +
        "a relative one starts at /home/sandbox. A copy into a directory that exists goes inside it.",
    )
    .argument("<source>", "PATH or ID:PATH")
    .argument("<destination>", "PATH or ID:PATH")
    .option("-q, --quiet", "show no progress")
    .addOption(
      new Option("--outside-links <what>", "symbolic links in a sandbox that point out of SOURCE")
        .choices(["refuse", "skip", "keep"]).default("refuse"),
    );
  connectionOptions(jsonOption(command, "print what was copied as JSON"));
  examples(command, [
    ["paddock cp ./project $id:/app", "a directory into the sandbox"],
    ["paddock cp $id:report.pdf .", "a file out of it"],
  ]);
  command.action(async (source, destination, options) => {
    const { copyCommand } = await import("./copy.ts");
    await copyCommand(source, destination, options);
  });
}

function addLogs(program: Command): void {
  const command = program.command("logs")
    .summary("print the log of a sandbox's machine")
    .description(
      "Prints what the machine and its agent wrote to the console, newest last, and how a sandbox " +
        "that has stopped came to its end. Its log is kept for a day.",
    )
    .argument("<id>", "the sandbox");
  connectionOptions(jsonOption(command));
  examples(command, [["paddock logs $id", "why did it end?"]]);
  command.action(async (id, options) => {
    const { logsCommand } = await import("./logs.ts");
    await logsCommand(id, options);
  });
}

function addExtend(program: Command): void {
  const command = program.command("extend")
    .summary("let a sandbox live longer")
    .description("Sets a sandbox's end to that long from now, at most 30 minutes.")
    .argument("<id>", "the sandbox")
    .argument("<duration>", "how long from now: 90s, 10m", parseDurationArgument);
  connectionOptions(jsonOption(command));
  examples(command, [["paddock extend $id 10m", "ten minutes from now"]]);
  command.action(async (id, duration, options) => {
    const { extendCommand } = await import("./extend.ts");
    await extendCommand(id, duration, options);
  });
}

function addKill(program: Command): void {
  const command = program.command("kill").alias("rm")
    .summary("end sandboxes")
    .description("Ends sandboxes now. What was in them is gone.")
    .argument("[id...]", "the sandboxes")
    .addOption(new Option("-a, --all", "every running sandbox of this organisation"))
    .option(
      "-l, --label <key=value>",
      "every one with this label; repeatable",
      collectPairs("label"),
    );
  connectionOptions(jsonOption(command));
  examples(command, [
    ["paddock kill $id", "one"],
    ["paddock kill --label user=ada", "all of ada's"],
    ["paddock kill --all", "all"],
  ]);
  command.action(async (ids, options) => {
    const { killCommand } = await import("./kill.ts");
    await killCommand(ids, options);
  });
}
