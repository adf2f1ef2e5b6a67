using System.Runtime.InteropServices;
using Xunit;

namespace Quire.Tests.Regions;

public unsafe class NativeMapTests
{
    private const int Step = NativeMap<Entry>.StepBytes;
    private const int PerStep = Step / 64;

    [StructLayout(LayoutKind.Sequential, Size = 64)]
    private struct Entry
    {
        internal long Value;
    }

    [StructLayout(LayoutKind.Sequential, Size = 40)]
    private struct OddEntry
    {
        internal long Value;
    }

    [Fact]
    public void A_table_for_every_frame_number_is_reserved_at_once_and_costs_nothing_until_touched()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Reads the page tables of Linux.");
        using NativeMap<Entry> map = new((nuint)1 << 28);
        Assert.Equal((nuint)1 << 28, map.Capacity);
        Assert.True(map.TryEnsure(0, 10, out _));
        Assert.True(map.TryEnsure(map.Capacity - 1, 1, out RegionFailure failure));
        Assert.Equal(RegionFailure.None, failure);
        map.At(map.Capacity - 1)->Value = 42;
        map.At(9)->Value = 43;
        Assert.Equal(42, map.Base[map.Capacity - 1].Value);
        Assert.Equal(0, map.At(8)->Value);
        Assert.Equal((nuint)4096, ProcessMemory.Resident((byte*)map.Base, 1 << 20));
        Assert.Equal(1, ProcessMemory.Mappings((byte*)map.Base, map.Capacity * 64));
        map.Verify();
    }

    [Theory]
    [InlineData(1)]
    [InlineData((PerStep * 64) - 1)]
    [InlineData(PerStep * 64)]
    [InlineData((PerStep * 64) + 1)]
    public void Every_entry_and_no_more_is_ready_where_all_is_committed_at_once(int capacity)
    {
        using NativeMap<Entry> map = new((nuint)capacity);
        Assert.True(map.IsReady(0));
        Assert.True(map.IsReady((nuint)capacity - 1));
        Assert.False(map.IsReady((nuint)capacity));
        Assert.Equal(NativeMemoryCalls.RoundUp((nuint)capacity * 64, Step), map.CommittedBytes);
        map.Verify();
    }

    [Fact]
    public void Where_a_commit_counts_only_the_steps_asked_for_are_committed_and_only_once()
    {
        HostileRegionProvider hostile = new();
        using NativeMap<Entry> map = new(200 * PerStep, hostile);
        Assert.Equal((nuint)0, hostile.CommittedBytes);
        Assert.False(map.IsReady(0));

        Assert.True(map.TryEnsure(PerStep - 1, 2, out _));
        Assert.Equal(2, hostile.CallsOf(HostileCall.Commit));
        Assert.Equal((nuint)(2 * Step), map.CommittedBytes);
        Assert.True(hostile.IsCommitted(map.Base, 2 * Step));
        Assert.True(map.IsReady(0));
        Assert.True(map.IsReady((2 * PerStep) - 1));
        Assert.False(map.IsReady(2 * PerStep));

        map.At(PerStep)->Value = 5;
        Assert.True(map.TryEnsure(0, 3 * PerStep, out _));
        Assert.Equal(3, hostile.CallsOf(HostileCall.Commit));
        Assert.Equal(5, map.At(PerStep)->Value);
        Assert.True(map.TryEnsure(0, 0, out _));
        Assert.True(map.TryEnsure(map.Capacity, 0, out _));
        Assert.Equal(3, hostile.CallsOf(HostileCall.Commit));

        // Ready ones in the middle are passed over too.
        Assert.True(map.TryEnsure(6 * PerStep, 1, out _));
        Assert.True(map.TryEnsure(5 * PerStep, 3 * PerStep, out _));
        Assert.Equal(6, hostile.CallsOf(HostileCall.Commit));
        map.Verify();
    }

    [Fact]
    public void An_entry_across_two_steps_needs_both()
    {
        HostileRegionProvider hostile = new();
        using NativeMap<OddEntry> map = new(10_000, hostile);
        nuint across = Step / 40;
        Assert.True(across * 40 < Step && (across + 1) * 40 > Step);
        Assert.True(map.TryEnsure(across, 1, out _));
        Assert.Equal((nuint)(2 * Step), map.CommittedBytes);
        Assert.True(map.IsReady(across - 1));
        Assert.True(map.IsReady(across));

        using NativeMap<OddEntry> other = new(10_000, hostile);
        Assert.True(other.TryEnsure(0, across, out _));
        Assert.False(other.IsReady(across));
    }

    [Fact]
    public void A_failed_step_is_an_answer_and_the_next_try_goes_on_from_there()
    {
        HostileRegionProvider hostile = new();
        using NativeMap<Entry> map = new(10 * PerStep, hostile);
        hostile.Fail(HostileCall.Commit, nth: 3);
        Assert.False(map.TryEnsure(0, 10 * PerStep, out RegionFailure failure));
        Assert.Equal(RegionFailure.OutOfMemory, failure);
        Assert.Equal((nuint)(2 * Step), map.CommittedBytes);
        Assert.True(map.IsReady((2 * PerStep) - 1));
        Assert.False(map.IsReady(2 * PerStep));
        Assert.True(map.TryEnsure(0, 10 * PerStep, out _));
        Assert.Equal(11, hostile.CallsOf(HostileCall.Commit));
        map.Verify();
    }

    [Fact]
    public void No_addresses_and_no_sense_are_thrown_by_name()
    {
        HostileRegionProvider hostile = new();
        hostile.Fail(HostileCall.Reserve, nth: 1, RegionFailure.AddressSpaceExhausted);
        InsufficientMemoryException error = Assert.Throws<InsufficientMemoryException>(() => new NativeMap<Entry>(100, hostile));
        Assert.Contains("AddressSpaceExhausted", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => new NativeMap<Entry>(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => new NativeMap<Entry>(((nuint)1 << 58) + 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new NativeMap<Entry>(nuint.MaxValue));
        using NativeMap<Entry> map = new(100);
        Assert.Throws<ArgumentOutOfRangeException>(() => map.TryEnsure(0, 101, out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => map.TryEnsure(101, 0, out _));
        Assert.Throws<ArgumentOutOfRangeException>(() => map.TryEnsure(99, nuint.MaxValue, out _));
    }

    [Fact]
    public void Threads_that_ensure_the_same_steps_lose_neither_a_bit_nor_an_entry()
    {
        int seed = Environment.TickCount;
        const int Threads = 4;
        const int Steps = 128;
        for (int round = 0; round < 20; round++)
        {
            HostileRegionProvider hostile = new() { RevokeOnDecommit = true };
            using NativeMap<Entry> map = new(Steps * PerStep, hostile);
            using Barrier start = new(Threads);
            Exception?[] errors = new Exception?[Threads];
            Thread[] threads = [.. Enumerable.Range(0, Threads).Select(id => new Thread(() =>
            {
                try
                {
                    start.SignalAndWait();
                    int[] order = [.. Enumerable.Range(0, Steps)];
                    new Random(HashCode.Combine(seed, round, id)).Shuffle(order);
                    foreach (int step in order)
                    {
                        nuint entry = (nuint)((step * PerStep) + id);
                        Assert.True(map.TryEnsure(entry, 1, out _));
                        Assert.True(hostile.IsCommitted(map.At(entry), 64), "ready before it was committed");
                        map.At(entry)->Value += step + 1;
                    }
                }
                catch (Exception error)
                {
                    errors[id] = error;
                }
            }))];
            Array.ForEach(threads, thread => thread.Start());
            Array.ForEach(threads, thread => thread.Join());
            Assert.All(errors, error => Assert.True(error is null, $"seed {seed} round {round}: {error}"));
            nuint steps = map.CommittedBytes / Step;
            Assert.True(steps == Steps, $"seed {seed} round {round}: {steps} steps ready of {Steps}");
            for (int entry = 0; entry < Steps * PerStep; entry++)
            {
                long expected = entry % PerStep < Threads ? (entry / PerStep) + 1 : 0;
                long value = map.At((nuint)entry)->Value;
                Assert.True(value == expected, $"seed {seed} round {round}: entry {entry} holds {value}");
            }

            map.Verify();
        }
    }

    [Fact]
    public void Threads_that_ensure_neighbouring_steps_lose_no_bit()
    {
        // Commits that cost nothing, so that the threads meet at the bits and not in the system.
        const int Threads = 2;
        const int Steps = 4096;
        for (int round = 0; round < 50; round++)
        {
            using NativeMap<Entry> map = new(Steps * PerStep, new Committed());
            int ready = 0;
            Thread[] threads = [.. Enumerable.Range(0, Threads).Select(id => new Thread(() =>
            {
                Interlocked.Increment(ref ready);
                while (Volatile.Read(ref ready) < Threads)
                {
                }

                for (int step = id; step < Steps; step += Threads)
                {
                    _ = map.TryEnsure((nuint)(step * PerStep), 1, out _);
                }
            }))];
            Array.ForEach(threads, thread => thread.Start());
            Array.ForEach(threads, thread => thread.Join());
            Assert.True(map.CommittedBytes == (nuint)Steps * Step, $"round {round}: {map.CommittedBytes / Step} steps ready of {Steps}");
        }
    }

    private sealed class Committed : RegionProvider
    {
        public override RegionKind Kind => RegionKind.Mapped;

        public override string Name => "committed";

        protected override MemoryRegion? ReserveCore(nuint bytes, nuint alignment, out RegionFailure failure)
        {
            MemoryRegion? real = Mapped.TryReserve(bytes, alignment, out failure);
            return real is not null && real.TryCommit(0, bytes, out failure) ? new Region(real) : null;
        }

        private sealed class Region(MemoryRegion real) : MemoryRegion(RegionKind.Mapped, real.Base, real.Length)
        {
            protected override RegionFailure CommitCore(nuint offset, nuint length) => RegionFailure.None;

            protected override RegionFailure DecommitCore(nuint offset, nuint length, out nuint released)
            {
                real.TryDecommit(offset, length, out released, out RegionFailure failure);
                return failure;
            }

            protected override void ReleaseCore(byte* address) => real.Dispose();
        }
    }
}
