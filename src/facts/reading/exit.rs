//! Exit codes in words.
//!
//! 128+n is the shell's and the runtimes' way to say "ended by signal n". Sources: bash manual "Exit Status",
//! signal(7), the Go, Java and Python runtimes; Windows codes are NTSTATUS values and no 8-bit numbers.

/// What an exit code usually means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    pub en: &'static str,
    pub zh: &'static str,
}

/// SIGKILL by the convention 128+n.
pub const KILLED: i32 = 137;
/// SIGTERM by the convention 128+n.
pub const TERMINATED: i32 = 143;

/// Returns what the code usually means; `None` where it says no more than "failed".
pub fn meaning(code: i32) -> Option<Meaning> {
    let (en, zh) = match code {
        0 => ("a normal end", "正常结束"),
        2 => ("wrong usage of a command, or a Go panic", "命令用法错误，或 Go panic"),
        126 => ("the command may not be executed", "命令不可执行"),
        127 => ("the command was not found", "找不到命令"),
        130 => ("interrupted (SIGINT)", "被中断（SIGINT）"),
        131 => ("quit with a dump (SIGQUIT)", "SIGQUIT 退出"),
        132 => (
            "an instruction that this CPU does not know (SIGILL)",
            "CPU 不支持的指令（SIGILL），多为编译目标与 CPU 不符",
        ),
        133 => ("a trap or failed assertion (SIGTRAP)", "陷阱或断言失败（SIGTRAP）"),
        134 => (
            "it aborted itself (SIGABRT): a failed assertion or a fatal error",
            "进程自行中止（SIGABRT）：断言失败或致命错误",
        ),
        135 => (
            "a bus error (SIGBUS), often a full /dev/shm or a cut memory-mapped file",
            "总线错误（SIGBUS），多为 /dev/shm 写满或映射文件被截断",
        ),
        136 => ("an arithmetic error such as a division by zero (SIGFPE)", "算术错误，如除零（SIGFPE）"),
        137 => ("killed (SIGKILL)", "被强制杀死（SIGKILL）"),
        139 => ("a memory access violation (SIGSEGV)", "段错误（SIGSEGV）"),
        141 => ("it wrote to a closed pipe (SIGPIPE)", "写入已关闭的管道（SIGPIPE）"),
        143 => ("asked to end (SIGTERM)", "收到结束请求（SIGTERM）"),
        159 => ("a system call that seccomp forbids (SIGSYS)", "seccomp 禁止的系统调用（SIGSYS）"),
        255 => ("exit(-1), or the start itself failed", "exit(-1)，或启动本身失败"),
        -1_073_741_819 => ("a memory access violation (Windows 0xC0000005)", "内存访问冲突（Windows 0xC0000005）"),
        -1_073_741_515 => ("a DLL is missing (Windows 0xC0000135)", "缺少 DLL（Windows 0xC0000135）"),
        -1_073_740_791 => ("a stack buffer overrun (Windows 0xC0000409)", "栈缓冲区溢出（Windows 0xC0000409）"),
        -1_073_741_510 => {
            ("ended by Ctrl+C or a shutdown (Windows 0xC000013A)", "被 Ctrl+C 或关机结束（Windows 0xC000013A）")
        }
        _ => return None,
    };
    Some(Meaning { en, zh })
}

/// Returns true for ends by a signal that a program brings upon itself: a crash in the narrow sense.
pub fn is_self_inflicted_signal(code: i32) -> bool {
    matches!(code, 131..=136 | 139 | 141 | 159)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_usual_codes() {
        assert!(meaning(139).is_some_and(|m| m.en.contains("SIGSEGV")));
        assert_eq!(meaning(1), None, "1 says nothing but that it failed");
        assert!(
            is_self_inflicted_signal(134) && !is_self_inflicted_signal(KILLED) && !is_self_inflicted_signal(TERMINATED)
        );
    }
}
