using System.Globalization;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>What kind of code a return address leads into.</summary>
internal enum CodeKind : byte
{
    /// <summary>In no loaded library: compiled methods and stubs, also code from images of the framework; or no code at all.</summary>
    Unknown,

    /// <summary>The runtime's own library, which keeps frame pointers.</summary>
    Runtime,

    /// <summary>Any other native library. Many keep no frame pointers: what a chain passes after such an address proves nothing.</summary>
    Foreign,
}

/// <summary>Tells native code from managed code, for stacks that are seen for the first time. Safe on any thread.</summary>
internal static unsafe partial class NativeCode
{
    private const int CodeAlignment = 16;
    private const int MaximumForeign = 1024;

    private static readonly Lock s_gate = new();
    private static ulong s_runtime;
    private static ulong[] s_foreign = [];
    private static (ulong Start, ulong End)[] s_executable = [];
    private static bool s_canAsk = true;

    /// <summary>Which kind of code an address is in.</summary>
    internal static CodeKind KindOf(ulong address)
    {
        if (!TryAsk(address, out ulong library, out nint file))
        {
            return CodeKind.Unknown;
        }

        if (library == Volatile.Read(ref s_runtime))
        {
            return CodeKind.Runtime;
        }

        if (Volatile.Read(ref s_runtime) == 0 && IsRuntime(Marshal.PtrToStringUTF8(file)))
        {
            Volatile.Write(ref s_runtime, library);
            return CodeKind.Runtime;
        }

        return CodeKind.Foreign;
    }

    /// <summary>True for code of the C library, which is what threads begin in.</summary>
    internal static bool IsThreadLibrary(ulong address) =>
        TryAsk(address, out _, out nint file) && Path.GetFileName(Marshal.PtrToStringUTF8(file)) is { } name
        && (name.StartsWith("libc.", StringComparison.Ordinal) || name.StartsWith("libc-", StringComparison.Ordinal)
            || name.StartsWith("libpthread", StringComparison.Ordinal) || name.StartsWith("ld-musl", StringComparison.Ordinal));

    /// <summary>The index of the first address that is known to be foreign; <paramref name="count"/> if there is none. Knows only what <see cref="AddForeign"/> was told.</summary>
    internal static int FirstForeign(ulong* addresses, int count)
    {
        // Happens before: an array is complete before the store of its reference publishes it, and is never changed.
        ulong[] known = Volatile.Read(ref s_foreign);
        for (int i = 0; i < count && known.Length > 0; i++)
        {
            if (Array.BinarySearch(known, addresses[i]) >= 0)
            {
                return i;
            }
        }

        return count;
    }

    /// <summary>Remembers a return address into foreign code.</summary>
    internal static void AddForeign(ulong address)
    {
        lock (s_gate)
        {
            int at = Array.BinarySearch(s_foreign, address);
            if (at < 0 && s_foreign.Length < MaximumForeign)
            {
                Volatile.Write(ref s_foreign, [.. s_foreign[..~at], address, .. s_foreign[~at..]]);
            }
        }
    }

    /// <summary>True for an address that a call instruction in executable memory precedes: a return address, as far as bytes can tell.</summary>
    internal static bool IsReturnAddress(ulong address)
    {
        const int Longest = 7;
        byte* bytes = stackalloc byte[Longest];
        if (!IsExecutable(address - Longest, address) || !TryRead(address - Longest, bytes, Longest))
        {
            return false;
        }

        // E8 rel32; or FF /2, whose second byte has 2 in its middle three bits, in any of its lengths.
        byte* end = bytes + Longest;
        if (end[-5] == 0xE8)
        {
            return true;
        }

        for (int length = 2; length <= Longest; length++)
        {
            if (end[-length] == 0xFF && ((end[1 - length] >> 3) & 7) == 2)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>True if a compiled method may begin at an address, as far as the bytes around it can tell.</summary>
    /// <remarks>
    /// What the runtime compiles has a pointer to the method's description right before its first byte. In the framework's images padding (<c>int3</c>), or the <c>ret</c> of the method before, comes before it, or the
    /// method begins with <c>push rbp</c>. An address within a method passes once in thirty or so.
    /// </remarks>
    internal static bool IsMethodStart(ulong address)
    {
        byte* bytes = stackalloc byte[sizeof(ulong) + 1];
        if (address % CodeAlignment != 0 || !IsExecutable(address - sizeof(ulong), address + 1) || !TryRead(address - sizeof(ulong), bytes, sizeof(ulong) + 1))
        {
            return false;
        }

        byte* start = bytes + sizeof(ulong);
        ulong before = *(ulong*)bytes;
        bool isPointer = before >> 48 == 0 && before >> 32 != 0 && before % sizeof(ulong) == 0;
        return isPointer || start[-1] is 0xCC or 0xC3 || start[0] == 0x55;
    }

    /// <summary>Reads anew where executable memory lies. Costs a fraction of a millisecond; the memory of compiled methods grows now and then.</summary>
    internal static void Refresh()
    {
        List<(ulong Start, ulong End)> ranges = [];
        foreach (string line in File.ReadLines("/proc/self/maps"))
        {
            // 7f11f76a0000-7f11f76b0000 r-xp 00000000 00:00 0
            int dash = line.IndexOf('-');
            int space = line.IndexOf(' ');
            if (dash > 0 && space + 4 < line.Length && line[space + 1] == 'r' && line[space + 3] == 'x'
                && ulong.TryParse(line.AsSpan(0, dash), NumberStyles.HexNumber, null, out ulong start)
                && ulong.TryParse(line.AsSpan(dash + 1, space - dash - 1), NumberStyles.HexNumber, null, out ulong end)
                && end <= long.MaxValue)
            {
                ranges.Add((start, end));
            }
        }

        Volatile.Write(ref s_executable, [.. ranges]);
    }

    // Code may be unloaded at any time, by another thread too, while a word that once led there is still on the stack. A system call answers where a load would end the process.
    private static bool TryRead(ulong address, byte* to, nuint count)
    {
        nuint* local = stackalloc nuint[2] { (nuint)to, count };
        nuint* remote = stackalloc nuint[2] { (nuint)address, count };
        return ReadMemory(Environment.ProcessId, local, 1, remote, 1, 0) == (nint)count;
    }

    private static bool TryAsk(ulong address, out ulong library, out nint file)
    {
        // What the dynamic linker answers: file, base, nearest symbol and its address.
        nint* answer = stackalloc nint[4];
        (library, file) = (0, 0);
        try
        {
            if (!s_canAsk || AddressInfo((void*)address, answer) == 0)
            {
                return false;
            }
        }
        catch (EntryPointNotFoundException)
        {
            // glibc before 2.34 has it in another library. All addresses are then of unknown kind: keys are longer, and nothing is wrong.
            s_canAsk = false;
            return false;
        }

        (file, library) = (answer[0], (ulong)answer[1]);
        return true;
    }

    private static bool IsExecutable(ulong start, ulong end)
    {
        // In the order of their addresses, as the system lists them.
        (ulong Start, ulong End)[] ranges = Volatile.Read(ref s_executable);
        int low = 0;
        int high = ranges.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >>> 1;
            if (start < ranges[middle].Start)
            {
                high = middle - 1;
            }
            else if (start >= ranges[middle].End)
            {
                low = middle + 1;
            }
            else
            {
                return end < ranges[middle].End;
            }
        }

        return false;
    }

    // In a program of one file the runtime is a part of the executable.
    private static bool IsRuntime(string? file) =>
        Path.GetFileName(file) is { } name
        && (name == "libcoreclr.so" || (string.IsNullOrEmpty(AppContext.GetData("FX_DEPS_FILE") as string) && name == Path.GetFileName(Environment.ProcessPath)));

    [LibraryImport("libc", EntryPoint = "process_vm_readv")]
    private static partial nint ReadMemory(int process, nuint* local, nuint localCount, nuint* remote, nuint remoteCount, nuint flags);

    [LibraryImport("libc", EntryPoint = "dladdr")]
    private static partial int AddressInfo(void* address, nint* answer);
}
