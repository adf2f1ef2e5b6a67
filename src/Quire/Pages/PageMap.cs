using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>
/// The map of the process's page memory: frame number to descriptor by a shift and an add, descriptor to address by one
/// load, address to frame number by one load (the kernel's <c>mem_map</c> and <c>virt_to_page</c>).
/// </summary>
/// <remarks>
/// Frames come online in sections of <see cref="SectionFrames"/> frames (4 MiB), aligned alike in number and in address, so
/// that a buddy is found by one bit of the number and a section by the address's high bits.
/// Descriptors stay when their memory goes offline: a generation is never started again.
/// </remarks>
internal static unsafe class PageMap
{
    internal const int FrameShift = 12;
    internal const int FrameSize = 1 << FrameShift;
    internal const int SectionShift = 22;
    internal const int SectionSize = 1 << SectionShift;
    internal const int SectionFrames = SectionSize / FrameSize;
    private const int AddressBits = 47;

    private static readonly NativeMap<PageDescriptor> s_descriptors = ReserveDescriptors();
    private static readonly NativeMap<uint> s_sections = new(1u << (AddressBits - SectionShift));
    private static readonly PageDescriptor* s_base = s_descriptors.Base;
    private static readonly uint* s_sectionBase = s_sections.Base;
    private static readonly Lock s_gate = new();
    private static readonly List<(uint First, uint Count)> s_vacant = [];

    /// <summary>The first number never used yet. The first section's numbers stay unused: 0 means none.</summary>
    private static uint s_next = SectionFrames;

    /// <summary>The descriptor of a frame number that came from a handle or a link; reads nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static PageDescriptor* Descriptor(uint frame) => s_base + frame;

    /// <summary>The descriptor that a handle names, whatever the handle holds: a made-up number lands on a descriptor that is offline.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static PageDescriptor* DescriptorOf(ulong identity) => s_base + PageIdentity.Frame(identity);

    /// <summary>The head's descriptor of a frame that is in use.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static PageDescriptor* HeadOf(PageDescriptor* page) => s_base + page->Head;

    /// <summary>True where the number stands for memory that some allocator has, so that its descriptor may be read.</summary>
    internal static bool IsKnown(uint frame) => frame >= SectionFrames && frame < Volatile.Read(ref s_next);

    /// <summary>The frame that holds an address, or 0 where the address is not page memory.</summary>
    internal static uint FrameAt(void* address)
    {
        nuint value = (nuint)address;
        if (value >> AddressBits != 0 || !s_sections.IsReady(value >> SectionShift))
        {
            return 0;
        }

        uint first = Volatile.Read(ref s_sectionBase[value >> SectionShift]);
        return first == 0 ? 0 : first + (uint)((value & (SectionSize - 1)) >> FrameShift);
    }

    /// <summary>Gives frame numbers to memory; the descriptors are offline with their address and owner set. Returns the first number, or 0 where numbers or memory for descriptors are used up.</summary>
    internal static uint Online(byte* address, uint frames, ushort owner)
    {
        if (((nuint)address & (SectionSize - 1)) != 0 || frames % SectionFrames != 0 || frames == 0)
        {
            throw new ArgumentException($"Memory comes online in whole sections of {SectionSize} bytes, aligned to their size.");
        }

        lock (s_gate)
        {
            uint first = TakeNumbers(frames);
            if (first == 0)
            {
                return 0;
            }

            if (!s_sections.TryEnsure((nuint)address >> SectionShift, frames / SectionFrames, out _))
            {
                s_vacant.Add((first, frames));
                return 0;
            }

            for (uint i = 0; i < frames; i++)
            {
                PageDescriptor* page = Descriptor(first + i);
                long generation = Math.Max(1, PageIdentity.Generation(page->Identity));
                *page = default;
                page->Identity = PageIdentity.Of(first + i, generation);
                page->Address = address + ((nuint)i << FrameShift);
                page->Head = first + i;
                page->Owner = owner;
            }

            for (uint i = 0; i < frames; i += SectionFrames)
            {
                // Happens before: whoever finds the section by address reads descriptors that are complete.
                Volatile.Write(ref s_sectionBase[((nuint)address + ((nuint)i << FrameShift)) >> SectionShift], first + i);
            }

            return first;
        }
    }

    /// <summary>Takes memory out of the map. Every generation moves on, so that handles from before are stale for ever.</summary>
    internal static void Offline(uint first, uint frames)
    {
        lock (s_gate)
        {
            for (uint i = 0; i < frames; i += SectionFrames)
            {
                Volatile.Write(ref s_sectionBase[(nuint)Descriptor(first + i)->Address >> SectionShift], 0u);
            }

            for (uint i = 0; i < frames; i++)
            {
                PageDescriptor* page = Descriptor(first + i);
                long generation = Math.Min(PageIdentity.LastGeneration, PageIdentity.Generation(page->Identity) + 1);
                *page = default;
                page->Identity = PageIdentity.Of(first + i, generation);
                page->Head = first + i;
            }

            s_vacant.Add((first, frames));
        }
    }

    /// <summary>All descriptors' addresses at once, 16 GiB; memory for them comes with the sections. That of frame 0 comes at once: a default handle names it.</summary>
    private static NativeMap<PageDescriptor> ReserveDescriptors()
    {
        NativeMap<PageDescriptor> map = new(1u << PageIdentity.FrameBits);
        if (!map.TryEnsure(0, SectionFrames, out RegionFailure failure))
        {
            throw new InsufficientMemoryException($"No memory for the first page descriptors: {failure}.");
        }

        // A default handle's word is 0, and so would frame 0's be: with the mark it equals no handle's.
        map.Base->Identity = PageIdentity.TailBit;
        return map;
    }

    private static uint TakeNumbers(uint frames)
    {
        int best = -1;
        for (int i = 0; i < s_vacant.Count; i++)
        {
            // Of equals the one vacated last: its descriptors are the likeliest to be in the cache.
            if (s_vacant[i].Count >= frames && (best < 0 || s_vacant[i].Count <= s_vacant[best].Count))
            {
                best = i;
            }
        }

        if (best >= 0)
        {
            (uint vacant, uint count) = s_vacant[best];
            s_vacant.RemoveAt(best);
            if (count > frames)
            {
                s_vacant.Add((vacant + frames, count - frames));
            }

            return vacant;
        }

        uint first = s_next;
        if (frames > PageIdentity.FrameMask - first || !s_descriptors.TryEnsure(first, frames, out _))
        {
            return 0;
        }

        Volatile.Write(ref s_next, first + frames);
        return first;
    }
}
