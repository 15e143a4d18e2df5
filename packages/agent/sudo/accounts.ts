export interface SystemAccount {
  name: string;
  uid: number;
  gid: number;
  home: string;
  shell: string;
}

const ROOT: SystemAccount = { name: "root", uid: 0, gid: 0, home: "/root", shell: "/bin/bash" };

/** A user of the guest by name or `#uid`. Root is known even where no file tells of it. */
export function findAccount(user: string, passwd = "/etc/passwd"): SystemAccount | undefined {
  let text = "";
  try {
    text = Deno.readTextFileSync(passwd);
  } catch {
    // Root remains.
  }
  for (const line of text.split("\n")) {
    const [name, , uid, gid, , home, shell] = line.split(":");
    if (user !== name && user !== `#${uid}`) continue;
    const account = {
      name,
      uid: Number(uid),
      gid: Number(gid),
      home: home || "/",
      shell: shell || "/bin/sh",
    };
    if (Number.isInteger(account.uid) && Number.isInteger(account.gid)) return account;
  }
  return user === "root" || user === "#0" ? ROOT : undefined;
}
