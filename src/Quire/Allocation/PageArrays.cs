using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Quire;

/// <summary>From a frame to the pinned array that its memory is in, in O(1): one entry a section of 4 MiB, indexed by the frame's number.</summary>
/// <remarks>
/// Invariant: a section that is online has its array here if it is array-backed, and null otherwise. Whoever asks owns a reference to a page of the section, so the section stays online
/// meanwhile and its entry does not change.
/// </remarks>
internal static unsafe class PageArrays
{
    private const int SectionFrameShift = PageMap.SectionShift - PageMap.FrameShift;

    private static readonly Lock s_gate = new();
    private static byte[]?[] s_arrays = [];

    /// <summary>Sections come online, before any page of them can be taken.</summary>
    internal static void Add(uint first, uint frames, byte[] array)
    {
        lock (s_gate)
        {
            uint end = (first + frames) >> SectionFrameShift;
            byte[]?[] arrays = s_arrays;
            if (arrays.Length < end)
            {
                Array.Resize(ref arrays, (int)Math.Max(end, (uint)arrays.Length * 2));
            }

            arrays.AsSpan((int)(first >> SectionFrameShift), (int)(frames >> SectionFrameShift)).Fill(array);

            // Happens before: entries are written before the table that has them can be seen, and both before the allocator's gate lets a page of them out.
            Volatile.Write(ref s_arrays, arrays);
        }
    }

    /// <summary>Sections go offline; none of their pages is in use.</summary>
    internal static void Remove(uint first, uint frames)
    {
        lock (s_gate)
        {
            int from = (int)(first >> SectionFrameShift);
            if (from < s_arrays.Length)
            {
                s_arrays.AsSpan(from, Math.Min((int)(frames >> SectionFrameShift), s_arrays.Length - from)).Clear();
            }
        }
    }

    /// <summary>The array segment of bytes in a page that the caller holds; false where the page is in mapped memory.</summary>
    internal static bool TryGet(uint frame, byte* address, int length, out ArraySegment<byte> segment)
    {
        byte[]?[] arrays = Volatile.Read(ref s_arrays);
        uint section = frame >> SectionFrameShift;
        byte[]? array = section < (uint)arrays.Length ? arrays[section] : null;
        if (array is null)
        {
            segment = default;
            return false;
        }

        // Pinned: the distance stays what it is.
        nint offset = Unsafe.ByteOffset(ref MemoryMarshal.GetArrayDataReference(array), ref *address);
        segment = new ArraySegment<byte>(array, (int)offset, length);
        return true;
    }
}
