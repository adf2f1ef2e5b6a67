using System.Runtime;
using System.Runtime.CompilerServices;
using Xunit;

namespace Quire.Tests.Regions;

public unsafe class PinnedArrayRegionTests
{
    private const int Frame = MemoryRegion.FrameSize;
    private const int MiB = 1024 * 1024;

    [Fact]
    public void The_array_and_its_offset_name_the_same_bytes_as_the_address()
    {
        using MemoryRegion region = MemoryRegionTests.Reserve(RegionKind.PinnedArray, 4 * Frame);
        byte[] array = region.Array!;
        Assert.True(array.Length - region.ArrayOffset >= 4 * Frame);
        region.Base[0] = 11;
        region.Base[(4 * Frame) - 1] = 12;
        Assert.Equal(11, array[region.ArrayOffset]);
        Assert.Equal(12, array[region.ArrayOffset + (4 * Frame) - 1]);
        Assert.Null(MemoryRegionTests.Reserve(RegionKind.Mapped, Frame).Array);
    }

    [Fact]
    public void Nothing_of_the_array_shows_what_the_heap_held_before()
    {
        for (int round = 0; round < 4; round++)
        {
            LeaveTraces();
            GC.Collect(2, GCCollectionMode.Forced, blocking: true);
            List<MemoryRegion> regions = [];
            foreach (int size in (int[])[Frame, 5 * Frame, MiB, 8 * MiB])
            {
                MemoryRegion region = MemoryRegionTests.Reserve(RegionKind.PinnedArray, (nuint)size);
                regions.Add(region);
                int dirty = region.Array.AsSpan().IndexOfAnyExcept((byte)0);
                Assert.True(dirty < 0, $"round {round}: byte {dirty} of an array for {size} bytes is not 0");
            }

            regions.ForEach(region => region.Dispose());
        }
    }

    [Fact]
    public void Compacting_collections_move_nothing_and_bring_nothing_back()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Reads the page tables of Linux.");
        using MemoryRegion region = MemoryRegionTests.Reserve(RegionKind.PinnedArray, 32 * MiB);
        byte* address = region.Base;
        MemoryRegionTests.Fill(region, 0, region.Length, 0x77);
        Assert.True(region.TryDecommit(8 * MiB, 16 * MiB, out nuint released, out _));
        Assert.Equal((nuint)(16 * MiB), released);
        for (int i = 0; i < 5; i++)
        {
            _ = new byte[MiB];
            GCSettings.LargeObjectHeapCompactionMode = GCLargeObjectHeapCompactionMode.CompactOnce;
            GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        }

        Assert.True(address == region.Base);
        Assert.Equal((nuint)(16 * MiB), ProcessMemory.Resident(address, region.Length));
        MemoryRegionTests.AssertAll(region, 0, 8 * MiB, 0x77);
        MemoryRegionTests.AssertAll(region, 8 * MiB, 16 * MiB, 0);
        MemoryRegionTests.AssertAll(region, 24 * MiB, 8 * MiB, 0x77);
        region.Verify();
    }

    [Fact]
    public void A_region_that_nobody_holds_keeps_its_memory()
    {
        byte* address = Drop(out WeakReference array);
        for (int i = 0; i < 3; i++)
        {
            GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }

        Assert.True(array.IsAlive, "pointers into the region dangle");
        Assert.Equal(0x33, address[0]);
    }

    [Fact]
    public void A_disposed_region_lets_its_array_go_and_its_memory_at_once()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Reads the page tables of Linux.");
        WeakReference array = DisposeOne();
        for (int i = 0; i < 10 && array.IsAlive; i++)
        {
            GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        }

        Assert.False(array.IsAlive);
    }

    [Fact]
    public void More_than_an_array_can_hold_is_too_large()
    {
        Assert.Null(RegionProvider.PinnedArrays.TryReserve((nuint)2048 * MiB, Frame, out RegionFailure failure));
        Assert.Equal(RegionFailure.TooLarge, failure);
        Assert.Null(RegionProvider.PinnedArrays.TryReserve(Frame, (nuint)1 << 40, out failure));
        Assert.Equal(RegionFailure.TooLarge, failure);
        Assert.Null(RegionProvider.PinnedArrays.TryReserve(nuint.MaxValue - Frame + 1, Frame, out failure));
        Assert.Equal(RegionFailure.TooLarge, failure);
    }

    [Fact]
    public void Without_a_way_to_give_back_the_memory_is_cleared_and_the_answer_is_zero_bytes()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Stands on the Linux calls.");
        ScriptedCalls without = new() { NoDiscard = true, DiscardFailure = RegionFailure.NotSupported };
        ScriptedCalls refusing = new() { DiscardFailure = RegionFailure.Refused };
        foreach (NativeMemoryCalls? calls in (NativeMemoryCalls?[])[null, without, refusing])
        {
            LeaveTraces();
            using MemoryRegion region = new PinnedArrayProvider(calls).TryReserve(MiB, Frame, out _)!;
            Assert.Equal(-1, region.Array.AsSpan().IndexOfAnyExcept((byte)0));
            MemoryRegionTests.Fill(region, 0, region.Length, 8);
            Assert.True(region.TryDecommit(Frame, 2 * Frame, out nuint released, out _));
            Assert.Equal((nuint)0, released);
            MemoryRegionTests.AssertAll(region, 0, Frame, 8);
            MemoryRegionTests.AssertAll(region, Frame, 2 * Frame, 0);
            MemoryRegionTests.AssertAll(region, 3 * Frame, region.Length - (3 * Frame), 8);
        }
    }

    [Fact]
    public void On_larger_system_pages_the_edges_are_cleared_by_hand()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Stands on the Linux calls.");
        using MemoryRegion region = new PinnedArrayProvider(new ScriptedCalls { Page = 4 * Frame }).TryReserve(16 * Frame, Frame, out _)!;
        Assert.Equal((nuint)0, (nuint)region.Base % (4 * Frame));
        MemoryRegionTests.Fill(region, 0, region.Length, 8);
        Assert.True(region.TryDecommit(Frame, 14 * Frame, out nuint released, out _));
        Assert.Equal((nuint)(8 * Frame), released);
        MemoryRegionTests.AssertAll(region, 0, Frame, 8);
        MemoryRegionTests.AssertAll(region, Frame, 14 * Frame, 0);
        MemoryRegionTests.AssertAll(region, 15 * Frame, Frame, 8);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LeaveTraces()
    {
        // Alternate ones stay alive for a while, so that what is freed is holes in used parts of the heap, which get reused.
        List<byte[]> arrays = [];
        foreach (int size in (int[])[3000, 2 * Frame, 6 * Frame, MiB + (2 * Frame), 9 * MiB])
        {
            for (int i = 0; i < 4; i++)
            {
                byte[] array = GC.AllocateUninitializedArray<byte>(size, pinned: true);
                array.AsSpan().Fill(0xEE);
                arrays.Add(array);
            }
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static byte* Drop(out WeakReference array)
    {
        MemoryRegion region = MemoryRegionTests.Reserve(RegionKind.PinnedArray, MiB);
        array = new WeakReference(region.Array);
        region.Base[0] = 0x33;
        return region.Base;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference DisposeOne()
    {
        MemoryRegion region = MemoryRegionTests.Reserve(RegionKind.PinnedArray, 4 * MiB);
        byte[] array = region.Array!;
        byte* address = region.Base;
        MemoryRegionTests.Fill(region, 0, region.Length, 1);
        region.Dispose();
        Assert.Equal((nuint)0, ProcessMemory.Resident(address, 4 * MiB));
        Assert.Throws<ObjectDisposedException>(() => region.Array);
        region.Verify();
        GC.KeepAlive(array);
        return new WeakReference(array);
    }
}
