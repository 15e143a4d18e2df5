/**
 * What goes into the guest image. Everything here is an input of the base tree's digest: a change of
 * one word builds a new tree.
 */
export const recipe = {
  suite: "trixie",
  variant: "minbase",
  packages: [
    "bash",
    "ca-certificates",
    "curl",
    "git",
    "iproute2",
    "less",
    "openssh-client",
    "openssh-sftp-server",
    "procps",
    "python3",
    "tini",
    "tzdata",
  ],
  aptOptions: [
    'APT::Install-Recommends "false"',
    // The guest has no setuid and a filtered network: one fetch at a time loses nothing and a dead
    // mirror is noticed in bounded time.
    'Acquire::Retries "3"',
    'Acquire::http::Timeout "30"',
    'Acquire::https::Timeout "30"',
  ],
  // Kept in the guest's dpkg configuration, so packages installed there stay small as well.
  dpkgOptions: [
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/locale/*",
    "path-include=/usr/share/locale/locale.alias",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/share/gitweb/*",
    "force-unsafe-io",
  ],
  user: { name: "sandbox", uid: 1000, gid: 1000, home: "/home/sandbox", shell: "/bin/bash" },
  writableDirs: ["/home/app", "/app"],
  /** Raised by hand when the code that lays out the base tree changes what it produces. */
  layout: 3,
} as const;

/** The `layout` of the second stage: see `recipe.layout`. */
export const guestLayout = 2;
