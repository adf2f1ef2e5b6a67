using Xunit;

namespace Quire.Tests.Regions;

/// <summary>What both kinds of region promise.</summary>
public unsafe class MemoryRegionTests
{
    private const int Frame = MemoryRegion.FrameSize;
    private const int MiB = 1024 * 1024;

    public static TheoryData<RegionKind> Kinds => [RegionKind.Mapped, RegionKind.PinnedArray];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Memory_becomes_resident_with_the_touch_and_leaves_with_the_decommit(RegionKind kind)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Reads the page tables of Linux.");
        using MemoryRegion region = Reserve(kind, 16 * MiB);
        Assert.True(region.TryCommit(0, region.Length, out _));
        Assert.Equal((nuint)0, ProcessMemory.Resident(region.Base, region.Length));

        Fill(region, 0, region.Length, 0xA5);
        Assert.Equal(region.Length, ProcessMemory.Resident(region.Base, region.Length));

        // A hole of 8 MiB in the middle, off every large boundary.
        Assert.True(region.TryDecommit(3 * Frame, 8 * MiB, out nuint released, out RegionFailure failure));
        Assert.Equal(RegionFailure.None, failure);
        Assert.Equal((nuint)(8 * MiB), released);
        Assert.Equal((nuint)(8 * MiB), ProcessMemory.Resident(region.Base, region.Length));

        Assert.True(region.TryCommit(3 * Frame, 8 * MiB, out _));
        AssertAll(region, 0, 3 * Frame, 0xA5);
        AssertAll(region, 3 * Frame, 8 * MiB, 0);
        AssertAll(region, (8 * MiB) + (3 * Frame), (8 * MiB) - (3 * Frame), 0xA5);
        region.Verify();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void The_first_commit_shows_zeros_and_a_second_commit_changes_nothing(RegionKind kind)
    {
        using MemoryRegion region = Reserve(kind, MiB);
        Assert.True(region.TryCommit(Frame, 2 * Frame, out _));
        AssertAll(region, Frame, 2 * Frame, 0);
        Fill(region, Frame, 2 * Frame, 0x5A);
        Assert.True(region.TryCommit(0, 8 * Frame, out RegionFailure failure));
        Assert.Equal(RegionFailure.None, failure);
        AssertAll(region, 0, Frame, 0);
        AssertAll(region, Frame, 2 * Frame, 0x5A);
        AssertAll(region, 3 * Frame, 5 * Frame, 0);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Decommitted_twice_or_never_committed_is_no_error(RegionKind kind)
    {
        using MemoryRegion region = Reserve(kind, MiB);
        for (int i = 0; i < 2; i++)
        {
            Assert.True(region.TryDecommit(0, region.Length, out _, out RegionFailure failure));
            Assert.Equal(RegionFailure.None, failure);
        }

        Assert.True(region.TryCommit(0, region.Length, out _));
        AssertAll(region, 0, region.Length, 0);
    }

    [Theory]
    [InlineData(RegionKind.Mapped, 4096)]
    [InlineData(RegionKind.Mapped, 64 * 1024)]
    [InlineData(RegionKind.Mapped, 2 * MiB)]
    [InlineData(RegionKind.Mapped, 1024 * MiB)]
    [InlineData(RegionKind.PinnedArray, 4096)]
    [InlineData(RegionKind.PinnedArray, 64 * 1024)]
    [InlineData(RegionKind.PinnedArray, 2 * MiB)]
    public void The_address_is_a_multiple_of_the_alignment(RegionKind kind, int alignment)
    {
        // Several sizes at once, all alive, so that a lucky address proves nothing.
        List<MemoryRegion> regions = [];
        for (int frames = 1; frames <= 9; frames += 2)
        {
            MemoryRegion? region = Provider(kind).TryReserve((nuint)(frames * Frame), (nuint)alignment, out RegionFailure failure);
            Assert.NotNull(region);
            Assert.Equal(RegionFailure.None, failure);
            Assert.Equal((nuint)0, (nuint)region.Base % (nuint)alignment);
            Assert.Equal((nuint)(frames * Frame), region.Length);
            Assert.Equal(kind, region.Kind);
            region.Verify();
            Assert.True(region.TryCommit(0, region.Length, out _));
            Fill(region, 0, region.Length, (byte)frames);
            regions.Add(region);
        }

        for (int i = 0; i < regions.Count; i++)
        {
            AssertAll(regions[i], 0, regions[i].Length, (byte)((2 * i) + 1));
            regions[i].Dispose();
        }
    }

    [Theory]
    [InlineData(1, Frame, "offset")]
    [InlineData(Frame, 1, "length")]
    [InlineData(0, 17 * Frame, "length")]
    [InlineData(17 * Frame, 0, "offset")]
    [InlineData(16 * Frame, Frame, "length")]
    [InlineData(Frame, -Frame, "length")]
    [InlineData(-Frame, 2 * Frame, "offset")]
    public void A_range_that_is_not_whole_frames_of_the_region_is_named(int offset, int length, string parameter)
    {
        foreach (RegionKind kind in Kinds.Select(row => row.Data))
        {
            using MemoryRegion region = Reserve(kind, 16 * Frame);
            nuint o = (nuint)offset;
            nuint l = (nuint)length;
            Action[] calls =
            [
                () => region.TryCommit(o, l, out _), () => region.TryDecommit(o, l, out _, out _), () => region.AdviseHugePages(o, l, true),
            ];
            foreach (Action call in calls)
            {
                ArgumentOutOfRangeException error = Assert.Throws<ArgumentOutOfRangeException>(call);
                Assert.Equal(parameter, error.ParamName);
                Assert.Contains($"[0x{o:x}, +0x{l:x})", error.Message, StringComparison.Ordinal);
                Assert.Contains($"region [0x{(nuint)region.Base:x}, +0x10000)", error.Message, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void An_empty_range_does_nothing_even_at_the_end(RegionKind kind)
    {
        using MemoryRegion region = Reserve(kind, Frame);
        Assert.True(region.TryCommit(Frame, 0, out _));
        Assert.True(region.TryDecommit(Frame, 0, out nuint released, out _));
        Assert.Equal((nuint)0, released);
        Assert.False(region.AdviseHugePages(Frame, 0, true));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_disposed_region_says_so_and_hands_out_no_address(RegionKind kind)
    {
        MemoryRegion region = Reserve(kind, Frame);
        nuint address = (nuint)region.Base;
        Assert.False(region.IsDisposed);
        region.Dispose();
        region.Dispose();
        Assert.True(region.IsDisposed);
        Action[] calls =
        [
            () => region.TryCommit(0, Frame, out _), () => region.TryDecommit(0, Frame, out _, out _),
            () => region.AdviseHugePages(0, Frame, false), () => _ = region.Base,
        ];
        foreach (Action call in calls)
        {
            ObjectDisposedException error = Assert.Throws<ObjectDisposedException>(call);
            Assert.Contains($"0x{address:x}", error.Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(0, 4096)]
    [InlineData(100, 4096)]
    [InlineData(4096, 0)]
    [InlineData(4096, 2048)]
    [InlineData(4096, 12288)]
    public void A_size_or_alignment_that_nobody_could_serve_is_thrown_out(int bytes, int alignment)
    {
        foreach (RegionKind kind in Kinds.Select(row => row.Data))
        {
            Assert.Throws<ArgumentOutOfRangeException>(() => Provider(kind).TryReserve((nuint)bytes, (nuint)alignment, out _));
        }
    }

    [Fact]
    public void Threads_that_dispose_at_once_release_once()
    {
        const int Rounds = 300_000;
        CountingRegion[] regions = [.. Enumerable.Range(0, Rounds).Select(_ => new CountingRegion())];
        int[] arrived = new int[Rounds];
        void Race()
        {
            for (int round = 0; round < Rounds; round++)
            {
                // Both must leave this loop within nanoseconds, so it only yields when the other has no core.
                Interlocked.Increment(ref arrived[round]);
                for (int spin = 1; Volatile.Read(ref arrived[round]) < 2; spin++)
                {
                    if (spin % 10_000 == 0)
                    {
                        Thread.Yield();
                    }
                }

                regions[round].Dispose();
            }
        }

        Thread other = new(Race);
        other.Start();
        Race();
        other.Join();
        for (int round = 0; round < Rounds; round++)
        {
            Assert.True(regions[round].Releases == 1, $"round {round}: {regions[round].Releases} releases");
        }
    }

    internal static RegionProvider Provider(RegionKind kind) =>
        kind == RegionKind.Mapped ? RegionProvider.Mapped : RegionProvider.PinnedArrays;

    internal static MemoryRegion Reserve(RegionKind kind, nuint bytes) =>
        Provider(kind).TryReserve(bytes, Frame, out RegionFailure failure) ?? throw new InvalidOperationException($"{kind}: {failure}");

    internal static void Fill(MemoryRegion region, nuint offset, nuint length, byte value) =>
        new Span<byte>(region.Base + offset, checked((int)length)).Fill(value);

    internal static void AssertAll(MemoryRegion region, nuint offset, nuint length, byte value)
    {
        int other = new ReadOnlySpan<byte>(region.Base + offset, checked((int)length)).IndexOfAnyExcept(value);
        Assert.True(other < 0, $"byte 0x{offset:x} + 0x{other:x} of the {region} is not 0x{value:x}");
    }

    private sealed class CountingRegion() : MemoryRegion(RegionKind.Mapped, (byte*)Frame, Frame)
    {
        private int _releases;

        internal int Releases => _releases;

        protected override RegionFailure CommitCore(nuint offset, nuint length) => RegionFailure.None;

        protected override RegionFailure DecommitCore(nuint offset, nuint length, out nuint released)
        {
            released = 0;
            return RegionFailure.NotSupported;
        }

        protected override void ReleaseCore(byte* address) => Interlocked.Increment(ref _releases);
    }
}
