using Xunit;

namespace Quire.Tests.Regions;

public unsafe class MappedRegionTests
{
    private const int Frame = MemoryRegion.FrameSize;
    private const int MiB = 1024 * 1024;

    [Fact]
    public void A_reservation_can_be_far_larger_than_memory()
    {
        nuint bytes = (nuint)GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (2 * MiB) * (2 * MiB) * 64;
        using MemoryRegion region = RegionProvider.Mapped.TryReserve(bytes, 2 * MiB, out RegionFailure failure)!;
        Assert.Equal(RegionFailure.None, failure);
        Assert.True(region.TryCommit(0, Frame, out _));
        Assert.True(region.TryCommit(bytes - Frame, Frame, out _));
        region.Base[0] = 1;
        region.Base[bytes - 1] = 2;
        Assert.Equal(3, region.Base[0] + region.Base[bytes - 1]);
    }

    [Fact]
    public void More_than_there_are_addresses_is_an_answer()
    {
        nuint tooMuch = (nuint)1 << 60;
        Assert.Null(RegionProvider.Mapped.TryReserve(tooMuch, Frame, out RegionFailure failure));
        Assert.Equal(RegionFailure.AddressSpaceExhausted, failure);
        Assert.Null(RegionProvider.Mapped.TryReserve(nuint.MaxValue - Frame + 1, (nuint)1 << 62, out failure));
        Assert.Equal(RegionFailure.AddressSpaceExhausted, failure);
    }

    [Fact]
    public void Reserved_memory_can_not_be_touched_and_disposed_memory_is_gone()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Reads /proc.");
        MemoryRegion region = MemoryRegionTests.Reserve(RegionKind.Mapped, 1024 * MiB);
        byte* address = region.Base;
        Assert.False(ProcessMemory.CanRead(address));
        Assert.True(region.TryCommit(Frame, Frame, out _));
        Assert.False(ProcessMemory.CanRead(address));
        Assert.True(ProcessMemory.CanRead(address + Frame));
        Assert.False(ProcessMemory.CanRead(address + (2 * Frame)));
        region.Dispose();
        Assert.False(ProcessMemory.CanRead(address + Frame));
    }

    [Fact]
    public void Cutting_to_the_alignment_leaves_nothing_mapped_beside_the_region()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Reads /proc.");

        // What was mapped too much would lie on one side or the other, every time. A mapping of somebody else can lie there too,
        // but not always.
        bool clean = false;
        List<MemoryRegion> regions = [];
        for (int attempt = 0; attempt < 10 && !clean; attempt++)
        {
            MemoryRegion region = RegionProvider.Mapped.TryReserve(64 * MiB, (nuint)1 << 32, out _)!;
            regions.Add(region);
            clean = ProcessMemory.Protection(region.Base - 1).Length == 0
                && ProcessMemory.Protection(region.Base + (64 * MiB)).Length == 0;
        }

        regions.ForEach(region => region.Dispose());
        Assert.True(clean, "ten times something was mapped right beside the region");
    }

    [Fact]
    public void Holes_of_a_frame_cost_no_mappings()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Reads /proc.");
        using MemoryRegion region = MemoryRegionTests.Reserve(RegionKind.Mapped, 16 * MiB);
        Assert.True(region.TryCommit(0, region.Length, out _));
        MemoryRegionTests.Fill(region, 0, region.Length, 1);
        for (nuint offset = 0; offset < region.Length; offset += 2 * Frame)
        {
            Assert.True(region.TryDecommit(offset, Frame, out nuint released, out _));
            Assert.Equal((nuint)Frame, released);
        }

        Assert.Equal(region.Length / 2, ProcessMemory.Resident(region.Base, region.Length));
        Assert.Equal(1, ProcessMemory.Mappings(region.Base, region.Length));
    }

    [Fact]
    public void Locked_memory_is_refused_and_keeps_its_content()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "mlock.");
        using MemoryRegion region = MemoryRegionTests.Reserve(RegionKind.Mapped, 4 * Frame);
        Assert.True(region.TryCommit(0, region.Length, out _));
        MemoryRegionTests.Fill(region, 0, region.Length, 7);
        Assert.SkipUnless(ProcessMemory.Lock(region.Base, region.Length), "No memory may be locked here.");
        Assert.False(region.TryDecommit(0, region.Length, out nuint released, out RegionFailure failure));
        Assert.Equal(RegionFailure.Refused, failure);
        Assert.Equal((nuint)0, released);
        MemoryRegionTests.AssertAll(region, 0, region.Length, 7);
        Assert.True(ProcessMemory.Unlock(region.Base, region.Length));
    }

    [Fact]
    public void On_larger_system_pages_a_decommit_gives_back_whole_pages_and_clears_the_rest()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Stands on the Linux calls.");
        const int Page = 4 * Frame;
        int seed = Environment.TickCount;
        Random random = new(seed);
        using MemoryRegion region = new MappedRegionProvider(new ScriptedCalls { Page = Page }).TryReserve(61 * Frame, Frame, out _)!;
        byte[] model = new byte[61];
        bool[] committed = new bool[61];
        for (int round = 0; round < 2000; round++)
        {
            int first = random.Next(61);
            int count = 1 + random.Next(61 - first);
            if (random.Next(2) == 0)
            {
                Assert.True(region.TryCommit((nuint)(first * Frame), (nuint)(count * Frame), out _));
                for (int frame = first; frame < first + count; frame++)
                {
                    // What was committed keeps its content, what was not is zero.
                    int dirty = new ReadOnlySpan<byte>(region.Base + (frame * Frame), Frame).IndexOfAnyExcept(model[frame]);
                    Assert.True(dirty < 0, $"seed {seed} round {round}: commit of [{first}, +{count}) shows other bytes in frame {frame}");
                    model[frame] = (byte)random.Next(256);
                    committed[frame] = true;
                    MemoryRegionTests.Fill(region, (nuint)(frame * Frame), Frame, model[frame]);
                }
            }
            else
            {
                Assert.True(region.TryDecommit((nuint)(first * Frame), (nuint)(count * Frame), out nuint released, out _));
                int whole = Math.Max(0, ((first + count) / 4) - ((first + 3) / 4)) * Page;
                Assert.True((int)released == whole, $"seed {seed} round {round}: [{first}, +{count}) gave back {released}, not {whole}");
                Array.Clear(model, first, count);
                Array.Clear(committed, first, count);
            }

            for (int frame = 0; frame < 61; frame++)
            {
                int length = committed[frame] ? Frame : 0;
                int dirty = new ReadOnlySpan<byte>(region.Base + (frame * Frame), length).IndexOfAnyExcept(model[frame]);
                Assert.True(dirty < 0, $"seed {seed} round {round}: committed frame {frame} lost its content");
            }

            region.Verify();
        }
    }

    [Fact]
    public void A_decommit_that_fails_changes_no_byte()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Stands on the Linux calls.");
        ScriptedCalls calls = new() { Page = 4 * Frame };
        using MemoryRegion region = new MappedRegionProvider(calls).TryReserve(16 * Frame, Frame, out _)!;
        Assert.True(region.TryCommit(0, region.Length, out _));
        MemoryRegionTests.Fill(region, 0, region.Length, 9);

        calls.DecommitFailure = RegionFailure.MappingsExhausted;
        Assert.False(region.TryDecommit(Frame, 14 * Frame, out nuint released, out RegionFailure failure));
        Assert.Equal(RegionFailure.MappingsExhausted, failure);
        Assert.Equal((nuint)0, released);
        MemoryRegionTests.AssertAll(region, 0, region.Length, 9);

        calls.DecommitFailure = RegionFailure.None;
        calls.CommitFailure = RegionFailure.OutOfMemory;
        Assert.False(region.TryDecommit(Frame, 14 * Frame, out _, out failure));
        Assert.Equal(RegionFailure.OutOfMemory, failure);
        MemoryRegionTests.AssertAll(region, 0, region.Length, 9);
    }

    [Fact]
    public void Where_a_platform_has_no_calls_every_reservation_says_so()
    {
        Assert.Null(new MappedRegionProvider(null).TryReserve(Frame, Frame, out RegionFailure failure));
        Assert.Equal(RegionFailure.NotSupported, failure);
    }

    [Fact]
    public void The_limit_of_mappings_is_told_from_a_lack_of_memory()
    {
        Assert.True(LinuxMemoryCalls.IsAtLimit(65530, 65530));
        Assert.True(LinuxMemoryCalls.IsAtLimit(65524, 65530));
        Assert.False(LinuxMemoryCalls.IsAtLimit(60000, 65530));
        Assert.False(LinuxMemoryCalls.IsAtLimit(0, 65530));
        Assert.False(LinuxMemoryCalls.IsAtLimit(65530, 0));
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Reads /proc.");
        using MemoryRegion region = MemoryRegionTests.Reserve(RegionKind.Mapped, 4000 * Frame);
        for (nuint offset = 0; offset < region.Length; offset += 2 * Frame)
        {
            Assert.True(region.TryCommit(offset, Frame, out _));
        }

        int own = ProcessMemory.Mappings(region.Base, region.Length);
        Assert.InRange(own, 3999, 4001);
        Assert.True(LinuxMemoryCalls.CountMappings() >= own);

        // Other tests map and unmap meanwhile, though not by the hundred between any two looks.
        Assert.Contains(Enumerable.Range(0, 20), _ => Math.Abs(LinuxMemoryCalls.CountMappings() - File.ReadLines("/proc/self/maps").LongCount()) < 500);
    }
}
