using Xunit;

namespace Quire.Tests.Regions;

public unsafe class HugePageAdviceTests
{
    private const int Frame = MemoryRegion.FrameSize;

    private static readonly nuint s_huge = NativeMemoryCalls.Current?.HugePageSize ?? 0;

    public HugePageAdviceTests() => Assert.SkipUnless(OperatingSystem.IsLinux() && s_huge != 0, "No huge pages here.");

    [Fact]
    public void Advice_shows_in_the_mapping_and_can_be_taken_back()
    {
        using MappedRegion region = Reserve(4);
        Assert.True(region.AdviseHugePages(s_huge, 2 * s_huge, true));
        Assert.Equal(2 * s_huge, region.HugePageBytes);
        Assert.Contains("hg", ProcessMemory.Flags(region.Base + s_huge));
        Assert.Contains("hg", ProcessMemory.Flags(region.Base + (3 * s_huge) - 1));
        Assert.DoesNotContain("hg", ProcessMemory.Flags(region.Base));
        Assert.DoesNotContain("hg", ProcessMemory.Flags(region.Base + (3 * s_huge)));

        Assert.True(region.AdviseHugePages(0, 2 * s_huge, false));
        Assert.Contains("nh", ProcessMemory.Flags(region.Base));
        Assert.Contains("nh", ProcessMemory.Flags(region.Base + s_huge));
        Assert.Contains("hg", ProcessMemory.Flags(region.Base + (2 * s_huge)));
        region.Verify();
    }

    [Fact]
    public void Advice_for_less_than_a_huge_page_is_not_given_and_taking_back_includes_all_it_touches()
    {
        using MappedRegion region = Reserve(2);
        Assert.False(region.AdviseHugePages(Frame, (2 * s_huge) - (2 * Frame), true));
        Assert.Equal((nuint)0, region.HugePageBytes);
        Assert.True(region.AdviseHugePages(0, (2 * s_huge) - Frame, true));
        Assert.Equal(s_huge, region.HugePageBytes);
        Assert.True(region.AdviseHugePages(Frame, Frame, false));
        Assert.Contains("nh", ProcessMemory.Flags(region.Base + s_huge - 1));
    }

    [Fact]
    public void Advised_memory_comes_in_huge_pages()
    {
        using MappedRegion region = Reserve(8);
        Assert.True(region.AdviseHugePages(0, region.Length, true));
        region.Base[0] = 1;
        Assert.SkipUnless(ProcessMemory.Huge(region.Base) != 0, "The system has no huge page free.");
        Assert.Equal(s_huge, ProcessMemory.Resident(region.Base, region.Length));
    }

    [Fact]
    public void A_hole_in_a_huge_page_stays_open()
    {
        using MappedRegion region = Reserve(4);
        Assert.True(region.AdviseHugePages(0, region.Length, true));
        MemoryRegionTests.Fill(region, 0, region.Length, 3);

        // The control: a hole that the region knows nothing of is filled again, by the kernel itself if it is quick.
        nuint half = s_huge / 2;
        Assert.True(ProcessMemory.DontNeed(region.Base, half));
        Assert.InRange(ProcessMemory.Resident(region.Base, region.Length), region.Length - half, region.Length);
        Assert.SkipUnless(ProcessMemory.Collapse(region.Base, s_huge), "This kernel can't collapse on demand.");
        Assert.Equal(region.Length, ProcessMemory.Resident(region.Base, region.Length));

        // From the middle of block 1 to the middle of block 3, block 2 whole.
        Assert.True(region.TryDecommit(s_huge + half, 2 * s_huge, out nuint released, out _));
        Assert.Equal(2 * s_huge, released);
        Assert.Equal(2 * s_huge, region.HugePageBytes);
        for (nuint block = 0; block < 4; block++)
        {
            _ = ProcessMemory.Collapse(region.Base + (block * s_huge), s_huge);
        }

        Assert.Equal(2 * s_huge, ProcessMemory.Resident(region.Base, region.Length));
        Assert.Contains("hg", ProcessMemory.Flags(region.Base + (2 * s_huge)));
        region.Verify();

        // Whole again, advised again.
        Assert.True(region.AdviseHugePages(0, region.Length, true));
        Assert.Equal(region.Length, region.HugePageBytes);
        Assert.Contains("hg", ProcessMemory.Flags(region.Base + s_huge));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_huge_page_with_a_hole_is_no_longer_one_whether_it_is_still_advised_or_not(bool advised)
    {
        using MappedRegion region = Reserve(2);
        Assert.True(region.AdviseHugePages(0, region.Length, true));
        MemoryRegionTests.Fill(region, 0, region.Length, 3);
        Assert.SkipUnless(ProcessMemory.IsPartOfHugePage(region.Base) == true, "No huge page came, or the kernel doesn't tell.");
        Assert.True(advised || region.AdviseHugePages(0, region.Length, false));

        Assert.True(region.TryDecommit(s_huge - Frame, 2 * Frame, out _, out _));
        Assert.False(ProcessMemory.IsPartOfHugePage(region.Base));
        Assert.False(ProcessMemory.IsPartOfHugePage(region.Base + region.Length - 1));
        MemoryRegionTests.AssertAll(region, 0, s_huge - Frame, 3);
        MemoryRegionTests.AssertAll(region, s_huge - Frame, 2 * Frame, 0);
        MemoryRegionTests.AssertAll(region, s_huge + Frame, s_huge - Frame, 3);
        Assert.Equal((nuint)0, region.HugePageBytes);
    }

    [Fact]
    public void Where_everybody_gets_huge_pages_a_hole_stays_open_too()
    {
        ScriptedCalls calls = new() { HugeByDefault = true };
        using MappedRegion region = (MappedRegion)new MappedRegionProvider(calls).TryReserve(3 * s_huge, s_huge, out _)!;
        Assert.Equal(region.Length, region.HugePageBytes);
        Assert.True(region.TryCommit(0, region.Length, out _));
        MemoryRegionTests.Fill(region, 0, region.Length, 3);
        Assert.True(region.TryDecommit(s_huge, Frame, out _, out _));
        Assert.Equal(2 * s_huge, region.HugePageBytes);
        Assert.Contains("nh", ProcessMemory.Flags(region.Base + s_huge));
        Assert.DoesNotContain("nh", ProcessMemory.Flags(region.Base));
    }

    [Fact]
    public void A_region_that_begins_and_ends_inside_huge_pages_only_counts_the_whole_ones()
    {
        ScriptedCalls calls = new() { HugeByDefault = true };
        using MemoryRegion outer = RegionProvider.Mapped.TryReserve(4 * s_huge, s_huge, out _)!;
        Assert.True(outer.TryCommit(0, outer.Length, out _));
        HugePageAdvice advice = new(calls, outer.Base + Frame, 3 * s_huge);
        Assert.Equal(2 * s_huge, advice.Bytes);
        byte* start = outer.Base + Frame;
        advice.BeforeDecommit(start, start + Frame);
        advice.BeforeDecommit(start + (3 * s_huge) - Frame, start + (3 * s_huge));
        Assert.Equal(2 * s_huge, advice.Bytes);
        Assert.True(advice.TakeBack(start, start + (3 * s_huge)));
        Assert.DoesNotContain("nh", ProcessMemory.Flags(outer.Base));
        Assert.Contains("nh", ProcessMemory.Flags(start));
        Assert.DoesNotContain("nh", ProcessMemory.Flags(start + (3 * s_huge)));
    }

    [Fact]
    public void A_pinned_array_takes_no_advice()
    {
        using MemoryRegion region = RegionProvider.PinnedArrays.TryReserve(2 * s_huge, s_huge, out _)!;
        Assert.False(region.AdviseHugePages(0, region.Length, true));
    }

    [Fact]
    public void Threads_that_advise_neighbouring_blocks_lose_no_advice()
    {
        const int Threads = 2;
        ScriptedCalls calls = new() { AdviceIsFree = true };
        using MappedRegion region = Reserve(Threads);
        HugePageAdvice advice = new(calls, region.Base, region.Length);
        byte* start = region.Base;
        int ready = 0;
        int[] lost = new int[Threads];
        Thread[] threads = [.. Enumerable.Range(0, Threads).Select(id => new Thread(() =>
        {
            byte* block = start + ((nuint)id * s_huge);
            Interlocked.Increment(ref ready);
            while (Volatile.Read(ref ready) < Threads)
            {
            }

            for (int i = 0; i < 200_000 && lost[id] == 0; i++)
            {
                // What was just advised must be taken back before a hole is made.
                _ = advice.Give(block, block + s_huge);
                int before = ScriptedCalls.AdviceTakenBackByThisThread;
                advice.BeforeDecommit(block + Frame, block + (2 * Frame));
                lost[id] += ScriptedCalls.AdviceTakenBackByThisThread == before ? 1 : 0;
            }
        }))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        Assert.Equal([0, 0], lost);
        Assert.Equal((nuint)0, advice.Bytes);
    }

    [Fact]
    public void While_a_hole_is_made_nobody_else_changes_the_bits()
    {
        using MappedRegion region = Reserve(2);
        ScriptedCalls calls = new() { AdviceIsFree = true };
        HugePageAdvice advice = new(calls, region.Base, region.Length);
        byte* start = region.Base;
        using ManualResetEventSlim entered = new();
        bool letIn = false;
        Thread other = new(() =>
        {
            _ = advice.Give(start + s_huge, start + (2 * s_huge));
            entered.Set();
        });
        calls.OnTakeBack = () =>
        {
            other.Start();
            letIn = entered.Wait(300);
        };
        Assert.True(advice.Give(start, start + s_huge));
        advice.BeforeDecommit(start, start + Frame);
        other.Join();
        Assert.False(letIn);
        Assert.Equal(s_huge, advice.Bytes);
    }

    private static MappedRegion Reserve(nuint blocks)
    {
        MappedRegion region = (MappedRegion)RegionProvider.Mapped.TryReserve(blocks * s_huge, s_huge, out _)!;
        Assert.True(region.TryCommit(0, region.Length, out _));
        return region;
    }
}
