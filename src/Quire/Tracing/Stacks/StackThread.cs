using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>What stack capture keeps for each thread: the addresses between which its frames lie.</summary>
/// <remarks>
/// The system's own bounds are always safe. What lies above a thread's first managed method says nothing, though: native frames that are the same for all, then the C library's, which keeps no frame
/// pointers and leads into words that differ from thread to thread, so that each thread would have its own key for each stack. So the walk's end
/// is lowered to the frame of the first managed method once that is known: on the thread whose stack was compared with the runtime's own (<see cref="Lower"/>), and on new threads that came up the same
/// way, told by the return addresses of the native frames below (<see cref="LearnRoot"/>).
/// <para>
/// A lowered end can be wrong later, when native code calls into managed code anew from further up. Then either the frame lies above the end and is refused, or the walk lacks frames
/// that the runtime's own has; both put the system's bounds back.
/// </para>
/// </remarks>
internal static unsafe partial class StackThread
{
    private const int MaximumRoots = 8;

    // No initialisers: a class with a static constructor would put a check beside every access.
    [ThreadStatic]
    private static ulong t_low;

    [ThreadStatic]
    private static ulong t_span;

    [ThreadStatic]
    private static bool t_lowered;

    [ThreadStatic]
    private static bool t_busy;

    private static ulong[][]? s_roots;

    /// <summary>The lowest address of the thread's stack; 0 before <see cref="Enter"/>.</summary>
    internal static ulong Low => t_low;

    /// <summary>Bytes from <see cref="Low"/> to the address at which no frame may begin; 0 before <see cref="Enter"/>.</summary>
    internal static ulong Span => t_span;

    /// <summary>True if the end was lowered to the thread's first managed method.</summary>
    internal static bool IsLowered => t_lowered;

    /// <summary>True while this thread takes a stack apart: what that work itself does to pages gets no stack.</summary>
    internal static bool IsBusy
    {
        get => t_busy;
        set => t_busy = value;
    }

    /// <summary>Learns the thread's bounds. False where the frame is not on the thread's stack: some native code runs fibres of its own.</summary>
    internal static bool Enter(ulong frame)
    {
        byte* attributes = stackalloc byte[256];    // 56 bytes in every C library known; more where one should grow
        t_span = 0;
        t_lowered = false;
        if (GetAttributes(Self(), attributes) != 0)
        {
            return false;
        }

        void* low = null;
        nuint size = 0;
        bool got = GetStack(attributes, &low, &size) == 0;
        _ = Destroy(attributes);
        if (!got || size <= 16 || frame - (ulong)low >= size - 16)
        {
            return false;
        }

        // A frame is two words, both below the stack's end.
        t_low = (ulong)low;
        t_span = size - 15;
        _ = FindRoot(frame);
        return true;
    }

    /// <summary>Lowers the end to a frame, known to be that of the thread's first managed method.</summary>
    internal static void Lower(ulong frame)
    {
        t_span = frame - t_low;
        t_lowered = true;
    }

    /// <summary>Remembers the return addresses between a thread's first managed method and the C library: the runtime's threads come up in very few ways.</summary>
    internal static void LearnRoot(ReadOnlySpan<ulong> addresses)
    {
        ulong[][] known = Volatile.Read(ref s_roots) ?? [];
        foreach (ulong[] root in known)
        {
            if (addresses.SequenceEqual(root))
            {
                return;
            }
        }

        if (known.Length < MaximumRoots)
        {
            // Happens before: an array is filled before the store of its reference publishes it. Two that learn at once lose one of two, which is learned again.
            Volatile.Write(ref s_roots, [.. known, addresses.ToArray()]);
        }
    }

    /// <summary>Lowers the end if the stack's top is that of one of the runtime's threads. True if it did.</summary>
    internal static bool FindRoot(ulong frame)
    {
        ulong[][]? roots = Volatile.Read(ref s_roots);
        if (roots is null || t_lowered || t_span == 0)
        {
            return false;
        }

        for (ulong end = t_low + t_span; ;)
        {
            foreach (ulong[] root in roots)
            {
                if (IsRoot(frame, end, root))
                {
                    Lower(frame);
                    return true;
                }
            }

            if (!TryStep(ref frame, end))
            {
                return false;
            }
        }
    }

    private static bool IsRoot(ulong frame, ulong end, ulong[] root)
    {
        for (int i = 0; i < root.Length; i++)
        {
            if (*(ulong*)(frame + sizeof(ulong)) != root[i] || (i + 1 < root.Length && !TryStep(ref frame, end)))
            {
                return false;
            }
        }

        return true;
    }

    // As StackWalk does.
    private static bool TryStep(ref ulong frame, ulong end)
    {
        ulong next = *(ulong*)frame;
        bool leads = next > frame && next < end && (next & (sizeof(ulong) - 1)) == 0;
        frame = leads ? next : frame;
        return leads;
    }

    /// <summary>An ordinary call out of managed code: a collection that waits for this thread runs now, and takes back the return address that it had replaced.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void Settle() => _ = Self();

    [LibraryImport("libc", EntryPoint = "pthread_self")]
    private static partial nint Self();

    [LibraryImport("libc", EntryPoint = "pthread_getattr_np")]
    private static partial int GetAttributes(nint thread, byte* attributes);

    [LibraryImport("libc", EntryPoint = "pthread_attr_getstack")]
    private static partial int GetStack(byte* attributes, void** low, nuint* size);

    [LibraryImport("libc", EntryPoint = "pthread_attr_destroy")]
    private static partial int Destroy(byte* attributes);
}
