using Xunit;

namespace Quire.Tests.Regions;

/// <summary>The tool does what allocator tests rely on, and a broken promise goes no further than the reservation.</summary>
public unsafe class HostileRegionProviderTests
{
    private const int Frame = MemoryRegion.FrameSize;
    private const int MiB = 1024 * 1024;

    [Fact]
    public void The_nth_call_fails_and_those_around_it_do_not()
    {
        HostileRegionProvider hostile = new();
        hostile.Fail(HostileCall.Reserve, nth: 2, RegionFailure.AddressSpaceExhausted);
        using MemoryRegion region = hostile.TryReserve(8 * Frame, Frame, out _)!;
        Assert.Null(hostile.TryReserve(Frame, Frame, out RegionFailure failure));
        Assert.Equal(RegionFailure.AddressSpaceExhausted, failure);
        hostile.TryReserve(Frame, Frame, out _)!.Dispose();

        hostile.Fail(HostileCall.Commit, nth: 2, times: 2);
        bool[] answers = [.. Enumerable.Range(0, 5).Select(i => region.TryCommit((nuint)(i * Frame), Frame, out _))];
        Assert.Equal([true, false, false, true, true], answers);
        Assert.True(hostile.IsCommitted(region.Base, Frame));
        Assert.False(hostile.IsCommitted(region.Base, 2 * Frame));
        Assert.Equal((nuint)(3 * Frame), hostile.CommittedBytes);
        Assert.Equal(5, hostile.CallsOf(HostileCall.Commit));

        hostile.Fail(HostileCall.Decommit, nth: 1, RegionFailure.MappingsExhausted);
        Assert.False(region.TryDecommit(0, Frame, out _, out failure));
        Assert.Equal(RegionFailure.MappingsExhausted, failure);
        Assert.True(hostile.IsCommitted(region.Base, Frame));
        Assert.True(region.TryDecommit(0, Frame, out _, out _));
        Assert.False(hostile.IsCommitted(region.Base, Frame));

        hostile.Fail(HostileCall.Advise, nth: 1);
        Assert.False(region.AdviseHugePages(0, Frame, false));
        Assert.Equal(1, hostile.LiveRegions);
        region.Dispose();
        Assert.Equal(0, hostile.LiveRegions);
    }

    [Theory]
    [InlineData(64, 0, Frame)]
    [InlineData(Frame, 0, 2 * MiB)]
    [InlineData(MiB, 0, 2 * MiB)]
    [InlineData(0, Frame, Frame)]
    [InlineData(0, 1, Frame)]
    public void A_region_that_is_not_what_was_asked_for_is_never_handed_on(int misalignBy, int shortenBy, int alignment)
    {
        foreach (RegionProvider inner in (RegionProvider[])[RegionProvider.Mapped, RegionProvider.PinnedArrays])
        {
            HostileRegionProvider hostile = new(inner) { MisalignBy = (nuint)misalignBy, ShortenBy = (nuint)shortenBy };
            Assert.Null(hostile.TryReserve(4 * Frame, (nuint)alignment, out RegionFailure failure));
            Assert.Equal(RegionFailure.BrokenPromise, failure);
            Assert.Equal(1, hostile.CallsOf(HostileCall.Reserve));
            Assert.Equal(0, hostile.LiveRegions);
        }
    }

    [Fact]
    public void No_region_and_no_reason_is_a_broken_promise()
    {
        HostileRegionProvider hostile = new();
        Silent silent = new();
        Assert.Null(silent.TryReserve(Frame, Frame, out RegionFailure failure));
        Assert.Equal(RegionFailure.BrokenPromise, failure);
        Assert.Equal(0, hostile.LiveRegions);
    }

    [Theory]
    [InlineData(Frame, Frame)]
    [InlineData(5 * Frame, Frame)]
    [InlineData(4 * MiB, 2 * MiB)]
    public void Between_walls_the_bytes_on_both_sides_fault(int bytes, int alignment)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Walls are as thin as a page of 4096.");
        HostileRegionProvider hostile = new() { Walls = true };

        // Two at once: a neighbour must not be the wall.
        using MemoryRegion first = hostile.TryReserve((nuint)bytes, (nuint)alignment, out _)!;
        using MemoryRegion second = hostile.TryReserve((nuint)bytes, (nuint)alignment, out _)!;
        foreach (MemoryRegion region in (MemoryRegion[])[first, second])
        {
            Assert.True(region.TryCommit(0, region.Length, out _));
            Assert.True(ProcessMemory.CanRead(region.Base));
            Assert.True(ProcessMemory.CanRead(region.Base + region.Length - 1));
            Assert.False(ProcessMemory.CanRead(region.Base - 1));
            Assert.False(ProcessMemory.CanRead(region.Base + region.Length));
            region.Verify();
        }
    }

    [Fact]
    public void Revoked_memory_faults_until_it_is_committed_again()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "mprotect.");
        HostileRegionProvider hostile = new() { RevokeOnDecommit = true };
        using MemoryRegion region = hostile.TryReserve(4 * Frame, Frame, out _)!;
        Assert.True(region.TryCommit(0, region.Length, out _));
        MemoryRegionTests.Fill(region, 0, region.Length, 4);
        Assert.True(region.TryDecommit(Frame, Frame, out _, out _));
        Assert.False(ProcessMemory.CanRead(region.Base + Frame));
        Assert.True(ProcessMemory.CanRead(region.Base + (2 * Frame)));
        Assert.True(region.TryCommit(0, region.Length, out _));
        MemoryRegionTests.AssertAll(region, Frame, Frame, 0);
        MemoryRegionTests.AssertAll(region, 2 * Frame, 2 * Frame, 4);
    }

    private sealed class Silent : RegionProvider
    {
        public override RegionKind Kind => RegionKind.Mapped;

        public override string Name => "silent";

        protected override MemoryRegion? ReserveCore(nuint bytes, nuint alignment, out RegionFailure failure)
        {
            failure = RegionFailure.None;
            return null;
        }
    }
}
