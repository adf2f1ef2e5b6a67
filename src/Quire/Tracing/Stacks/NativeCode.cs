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
        if (!IsExecutable(address - Longest, address))
        {
            return false;
        }

        // E8 rel32; or FF /2, whose second byte has 2 in its middle three bits, in any of its lengths.
        byte* end = (byte*)address;
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

    [LibraryImport("libc", EntryPoint = "dladdr")]
    private static partial int AddressInfo(void* address, nint* answer);
}
