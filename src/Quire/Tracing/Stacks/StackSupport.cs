using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>Whether stacks can be taken in this process, why not, and the code that reads the frame register.</summary>
/// <remarks>
/// No instruction of C# reads RBP, so four bytes of machine code do (<c>mov rax, rbp; ret</c>), in a page that is written first and made executable
/// then, never both at once. Called without a change of the GC's mode and without a frame of its own it costs about 1 ns. The alternative, to look for the frame around the address
/// of a local variable, was rejected: where a compiler puts a variable is its own business.
/// </remarks>
internal sealed unsafe partial class StackSupport
{
    internal const string SwitchName = "Quire.Tracing.Stacks.IsSupported";
    internal const string VariableName = "QUIRE_STACKS";

    private const int PROT_READ = 1;
    private const int PROT_WRITE = 2;
    private const int PROT_EXEC = 4;
    private const int MAP_PRIVATE_ANONYMOUS = 0x22;

    // mov rax, rbp; ret
    private const uint Code = 0xC3E8_8948;

    private static readonly StackSupport s_current = new(IsEnabled(), RuntimeInformation.ProcessArchitecture, MakeExecutable);
    private static readonly delegate* unmanaged[SuppressGCTransition]<ulong> s_reader = s_current.ReadFramePointer;

    /// <summary>Tries out what a process has.</summary>
    /// <param name="isEnabled">False where configuration says no.</param>
    /// <param name="architecture">The process's.</param>
    /// <param name="protect">Makes a page executable; answers false where that is refused.</param>
    internal StackSupport(bool isEnabled, Architecture architecture, Func<nint, nuint, bool> protect)
    {
        WhyNot = !isEnabled ? $"Stacks are switched off by the {SwitchName} switch or by {VariableName}=0."
            : !OperatingSystem.IsLinux() ? "Stacks are read on Linux only."
            : architecture != Architecture.X64 ? $"Stacks are read on x64 only, not on {architecture}."
            : !RuntimeFeature.IsDynamicCodeCompiled ? "Stacks need the runtime's compiler, which keeps frame pointers; this program was compiled ahead of time."
            : MakeReader(protect);
    }

    /// <summary>This process.</summary>
    internal static StackSupport Current => s_current;

    /// <summary>Returns its caller's RBP. Only where stacks can be taken; in a field of its own, which the second tier's code has as a constant.</summary>
    internal static delegate* unmanaged[SuppressGCTransition]<ulong> Reader => s_reader;

    /// <summary>True where stacks can be taken.</summary>
    internal bool IsAvailable => ReadFramePointer != null;

    /// <summary>A sentence; empty where stacks can be taken.</summary>
    internal string WhyNot { get; }

    /// <summary>Returns its caller's RBP; null where stacks can't be taken.</summary>
    internal delegate* unmanaged[SuppressGCTransition]<ulong> ReadFramePointer { get; private set; }

    private static bool IsEnabled() =>
        TracingSupport.IsSupported
        && (!AppContext.TryGetSwitch(SwitchName, out bool isEnabled) || isEnabled)
        && Environment.GetEnvironmentVariable(VariableName) != "0";

    private string MakeReader(Func<nint, nuint, bool> protect)
    {
        nuint bytes = (nuint)Environment.SystemPageSize;
        void* page = Map(null, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
        if ((nint)page == -1)
        {
            return "The system refused the memory for the code that reads the frame register.";
        }

        *(uint*)page = Code;
        if (!protect((nint)page, bytes))
        {
            _ = Unmap(page, bytes);
            return "The system refuses executable memory, so the frame register can't be read.";
        }

        ReadFramePointer = (delegate* unmanaged[SuppressGCTransition]<ulong>)page;
        if (!FramesLeadToCallers())
        {
            ReadFramePointer = null;
            _ = Unmap(page, bytes);
            return "The frame pointers of this runtime do not lead from frame to frame.";
        }

        return "";
    }

    // The claim on which all else rests, tried once: a method's frame leads to that of its caller.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool FramesLeadToCallers()
    {
        ulong mine = ReadFramePointer();
        bool leads = LeadsTo(mine);
        return leads && *(ulong*)mine > mine;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private bool LeadsTo(ulong caller)
    {
        ulong frame = ReadFramePointer();
        return frame < caller && caller - frame < (ulong)Environment.SystemPageSize && (frame & 7) == 0 && *(ulong*)frame == caller;
    }

    private static bool MakeExecutable(nint page, nuint bytes) => Protect((void*)page, bytes, PROT_READ | PROT_EXEC) == 0;

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial void* Map(void* address, nuint bytes, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(void* address, nuint bytes, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(void* address, nuint bytes);
}
