namespace Quire.Traces.Analysis;

/// <summary>A frame of a kernel's stack, without what compilers, architectures and printers add to a function's name.</summary>
/// <param name="Function">The function; of a system call's entry in any spelling <c>sys_x</c>; empty where the frame has no name.</param>
/// <param name="Module">The module; null: the kernel's own image, or not known.</param>
internal readonly record struct FrameName(string Function, string? Module)
{
    /// <summary>
    /// How the entry of system call <c>x</c> begins: with the wrappers of each architecture, the bodies that SYSCALL_DEFINE makes (<c>__se_sys_</c>, <c>__do_sys_</c>; before
    /// Linux 4.17 <c>SyS_</c>, <c>SYSC_</c>), for 32-bit callers, and inside the kernel (<c>ksys_</c>).
    /// </summary>
    private static readonly string[] s_systemCalls =
    [
        "__x64_sys_", "__ia32_sys_", "__ia32_compat_sys_", "__x32_compat_sys_", "__arm64_sys_", "__arm64_compat_sys_", "__s390x_sys_", "__s390_sys_", "__s390_compat_sys_", "__riscv_sys_", "__riscv_compat_sys_",
        "__powerpc_sys_", "__loongarch_sys_", "__se_sys_", "__do_sys_", "__se_compat_sys_", "__do_compat_sys_", "__sys_ia32_", "compat_sys_", "ksys_", "compat_SyS_", "C_SYSC_", "SyS_", "SYSC_",
    ];

    internal static FrameName Parse(string frame)
    {
        ReadOnlySpan<char> name = frame.AsSpan().Trim();
        string? module = null;
        int bracket = name.LastIndexOf('[');
        if (bracket > 0 && name.EndsWith("]"))
        {
            module = name[(bracket + 1)..^1].Trim().ToString();
            name = name[..bracket].TrimEnd();
        }

        if (name.StartsWith("0x") || (name.Length > 0 && name[0] == '('))
        {
            return new FrameName("", module);
        }

        // The offset, then what compilers put behind: .isra.0, .constprop.0, .part.0, .cold, .llvm.123, .lto_priv.0, $hash. A first dot is the descriptor of 64-bit PowerPC.
        int end = name.IndexOf('+');
        name = end > 0 ? name[..end] : name;
        name = name.TrimStart('.');
        end = name.IndexOfAny('.', '$');
        name = end > 0 ? name[..end] : name;

        // Since Linux 6.10 allocating functions are wrapped for their profile.
        name = name.EndsWith("_noprof") && name.Length > 7 ? name[..^7] : name;
        foreach (string prefix in s_systemCalls)
        {
            if (name.StartsWith(prefix) && name.Length > prefix.Length)
            {
                return new FrameName($"sys_{name[prefix.Length..]}", module);
            }
        }

        return new FrameName(name.Length == frame.Length ? frame : name.ToString(), module);
    }
}
