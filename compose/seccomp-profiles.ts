// The seccomp profiles below compose/seccomp: which calls of the kernel the programs may make; whatever is not named does not exist for them.
// docs/decisions/0022-a-list-of-system-calls.md says how they were found. Names are of amd64 and arm64; an Engine skips those of another.
type Rule = {
  readonly why: string
  readonly names: readonly string[]
  readonly action?: 'SCMP_ACT_ERRNO'
  /** All of these have to hold. */
  readonly args?: readonly { readonly index: number; readonly value: number; readonly valueTwo?: number; readonly op: string }[]
}

/** What a kernel says that has no such call; the C library, libuv and Go take another then, and give up at EPERM. */
const ENOSYS = 38
const CLONE_THREAD = 0x10000
const DOMAINS = { unix: 1, inet: 2, inet6: 10, netlink: 16 }
/** Of a terminal, which Node sets back at its end: TCGETS, TCSETS, TCSETSW, TCSETSF, TIOCGWINSZ. Of any: FIONREAD, FIONBIO, FIONCLEX, FIOCLEX. */
const IOCTLS = [0x5401, 0x5402, 0x5403, 0x5404, 0x5413, 0x541b, 0x5421, 0x5450, 0x5451]

const EVERYWHERE: readonly Rule[] = [
  {
    why: 'memory, which V8 makes executable for what it compiles',
    names: words('brk madvise membarrier mmap mprotect mremap munmap pkey_alloc pkey_free pkey_mprotect'),
  },
  {
    why: 'threads',
    names:
      words(`exit exit_group futex get_robust_list getcpu getpid getppid gettid restart_syscall rseq rt_sigaction rt_sigprocmask
      rt_sigreturn sched_getaffinity sched_getparam sched_getscheduler sched_yield set_robust_list set_tid_address sigaltstack tgkill`),
  },
  {
    why: 'another thread; never another process',
    names: ['clone'],
    args: [{ index: 0, value: CLONE_THREAD, valueTwo: CLONE_THREAD, op: 'SCMP_CMP_MASKED_EQ' }],
  },
  {
    why: 'what is called in place of these is allowed; an Engine that does not know defaultErrnoRet would say EPERM',
    names: words('clone3 epoll_pwait2 io_uring_enter io_uring_register io_uring_setup'),
    action: 'SCMP_ACT_ERRNO',
  },
  {
    why: 'time, where the kernel has to be asked for it, and what the machine has',
    names: words(
      'clock_getres clock_gettime clock_nanosleep getrandom getrlimit getrusage gettimeofday nanosleep prlimit64 sysinfo time uname',
    ),
  },
  {
    why: 'waiting for many',
    names: words('epoll_create1 epoll_ctl epoll_pwait epoll_wait eventfd2 pipe2 poll ppoll'),
  },
  {
    why: 'files',
    names:
      words(`access close close_range dup dup2 dup3 faccessat faccessat2 fcntl fdatasync fstat fstatfs fsync ftruncate getcwd getdents64 lseek
      newfstatat openat openat2 pread64 preadv pwrite64 pwritev read readlink readlinkat readv rename renameat renameat2 statfs statx umask
      unlink unlinkat write writev`),
  },
  ...IOCTLS.map((value) => ({ why: 'terminals, and what blocks', names: ['ioctl'], args: [equal(1, value)] })),
  {
    why: 'sockets',
    names: words(
      `accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmsg sendmsg sendto setsockopt shutdown`,
    ),
  },
  { why: 'sockets of this machine', names: ['socket'], args: [equal(0, DOMAINS.unix)] },
  {
    why: 'to begin, and to become a user without rights',
    names:
      words(`arch_prctl capget capset chdir execve fchown getegid geteuid getgid getgroups getresgid getresuid getuid prctl setgid setgroups
      setresgid setresuid setuid`),
  },
]

const WITH_NETWORK: readonly Rule[] = [
  ...(['inet', 'inet6'] as const).map((domain) => ({
    why: 'sockets of the network',
    names: ['socket'],
    args: [equal(0, DOMAINS[domain])],
  })),
  { why: 'which addresses this machine has', names: ['socket'], args: [equal(0, DOMAINS.netlink)] },
  { why: 'to ask for names', names: ['sendmmsg'] },
  {
    why: 'the healer’s state, which is written beside and put in its place',
    names: words('chmod chown fchmod fchmodat fchownat mkdir mkdirat'),
  },
]

/** For a proxy without a network; and for the healer, and a proxy that listens over TCP. */
export const renderProxyProfile = () => render(EVERYWHERE)
export const renderNetworkProfile = () => render([...EVERYWHERE, ...WITH_NETWORK])

/** A line for each rule. */
function render(rules: readonly Rule[]): string {
  const syscalls = rules.map(({ why, names, action, args }) =>
    JSON.stringify({ comment: why, names, ...(action ? { action, errnoRet: ENOSYS } : { action: 'SCMP_ACT_ALLOW' }), args }),
  )
  // Each with nothing below it: no program of 32 bits, nor of x32.
  const archMap = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'].map((architecture) => ({ architecture, subArchitectures: [] }))
  return `{
  "defaultAction": "SCMP_ACT_ERRNO",
  "defaultErrnoRet": ${ENOSYS},
  "archMap": ${JSON.stringify(archMap)},
  "syscalls": [
    ${syscalls.join(',\n    ')}
  ]
}
`
}

function equal(index: number, value: number) {
  return { index, value, op: 'SCMP_CMP_EQ' }
}

function words(text: string): readonly string[] {
  return text.split(/\s+/)
}
