using Xunit;

namespace Quire.Tests.Tracing.Control;

[Collection(LedgerCollection.Name)]
public sealed class TraceAdmissionTests : IDisposable
{
    private readonly ulong _seed = (ulong)Environment.TickCount64;

    public void Dispose() => TraceAdmission.Clear();

    [Fact]
    public void Without_a_sample_and_a_filter_every_reference_is_admitted()
    {
        TraceAdmission.Set(1, null);
        Assert.Equal(1, TraceAdmission.SampleEvery);
        Assert.All(Enumerable.Range(0, 1000), static i => Assert.True(TraceAdmission.Admits((ulong)i, 1, 0)));
        Assert.True(TraceAdmission.AdmitsPage(7));
    }

    /// <summary>A program that goes through its call sites in a fixed rhythm of the sample's own length: every N-th would always be the same site.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(8)]
    [InlineData(100)]
    public void Every_site_of_a_periodic_program_gets_its_share(int every)
    {
        TraceAdmission.Set(every, null);
        TraceAdmission.Seed(_seed);
        int perSite = 4000 * every;
        int[] admitted = new int[every];
        for (int round = 0; round < perSite; round++)
        {
            for (int site = 0; site < every; site++)
            {
                admitted[site] += TraceAdmission.Admits(1, 1, (uint)site) ? 1 : 0;
            }
        }

        // Expected 4,000 each. Each is binomial with a deviation of at most 63; six of them is once in five hundred million.
        Assert.True(admitted.All(static count => Math.Abs(count - 4000) < 380), $"seed {_seed}: 4,000 each expected, least {admitted.Min()}, most {admitted.Max()}");
    }

    [Fact]
    public void Gaps_are_those_of_independent_draws()
    {
        const int Every = 16;
        TraceAdmission.Set(Every, null);
        TraceAdmission.Seed(_seed);
        List<int> gaps = [];
        for (int gap = 1; gaps.Count < 50_000; gap++)
        {
            if (TraceAdmission.Admits(1, 1, 1))
            {
                gaps.Add(gap);
                gap = 0;
            }
        }

        // Geometric: mean N, variance N(N - 1), and one gap in N is 1.
        double mean = gaps.Average();
        double variance = gaps.Average(gap => (gap - mean) * (gap - mean));
        Assert.True(Math.Abs(mean - Every) < 0.45, $"seed {_seed}: mean {mean}");
        Assert.True(Math.Abs(variance - (Every * (Every - 1))) < 25, $"seed {_seed}: variance {variance}");
        Assert.True(Math.Abs((gaps.Count(static gap => gap == 1) * (double)Every / gaps.Count) - 1) < 0.12, $"seed {_seed}: {gaps.Count(static gap => gap == 1)} gaps of 1");
    }

    [Fact]
    public void Threads_draw_on_their_own_and_the_first_of_each_has_no_privilege()
    {
        // Each new thread asks once: were its first reference always admitted (or never), a server with short threads would be sampled wrongly.
        TraceAdmission.Set(10, null);
        int admitted = 0;
        for (int i = 0; i < 2000; i++)
        {
            Thread thread = new(() => admitted += TraceAdmission.Admits(1, 1, 1) ? 1 : 0);
            thread.Start();
            thread.Join();
        }

        // 200 expected, deviation 13.4.
        Assert.InRange(admitted, 120, 280);
    }

    [Fact]
    public void What_an_earlier_recording_left_of_a_gap_does_not_outlive_it()
    {
        TraceAdmission.Set(TraceAdmission.MaximumSampleEvery, null);
        Assert.False(TraceAdmission.Admits(1, 1, 1));
        TraceAdmission.Set(2, null);
        Assert.Contains(Enumerable.Range(0, 200), static _ => TraceAdmission.Admits(1, 1, 1));
    }

    [Fact]
    public void The_filter_is_asked_first_and_the_sample_is_drawn_from_what_matches()
    {
        TraceAdmission.Set(4, TraceFilter.Parse("size>=100"));
        TraceAdmission.Seed(_seed);
        int admitted = 0;
        for (int i = 0; i < 40_000; i++)
        {
            Assert.False(TraceAdmission.Admits(1, 99, 1));
            admitted += TraceAdmission.Admits(1, 100, 1) ? 1 : 0;
        }

        Assert.True(Math.Abs(admitted - 10_000) < 520, $"seed {_seed}: {admitted} of 10,000 expected");
    }

    [Fact]
    public void Pages_sizes_and_sites_must_all_match()
    {
        const string File = "/src/Admission/Parser.cs";
        uint here = CallSiteTable.NumberOf(File, 141, "Keep");
        uint there = CallSiteTable.NumberOf(File, 142, "Keep");
        TraceAdmission.Set(1, TraceFilter.Parse("page=0x100-0x1ff size>=64 site=Parser.cs:141"));
        ulong inside = 0x180 | (77ul << Ledger.FrameBits);
        ulong outside = 0x200 | (77ul << Ledger.FrameBits);

        for (int again = 0; again < 2; again++)
        {
            Assert.True(TraceAdmission.Admits(inside, 64, here));
            Assert.False(TraceAdmission.Admits(outside, 64, here));
            Assert.False(TraceAdmission.Admits(inside, 63, here));
            Assert.False(TraceAdmission.Admits(inside, 64, there));
            Assert.False(TraceAdmission.Admits(inside, 64, 0));
        }

        Assert.True(TraceAdmission.AdmitsPage(inside));
        Assert.False(TraceAdmission.AdmitsPage(outside));
    }

    [Fact]
    public void Asking_allocates_nothing()
    {
        uint site = CallSiteTable.NumberOf("/src/Admission/Free.cs", 1, "M");
        TraceAdmission.Set(3, TraceFilter.Parse("size>=1 site~Free.cs"));
        TraceAdmission.Admits(1, 1, site);
        Assert.Equal(0, Garbage.Least(5, () =>
        {
            for (int i = 0; i < 10_000; i++)
            {
                TraceAdmission.Admits(1, 1, site);
            }
        }));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(TraceAdmission.MaximumSampleEvery + 1)]
    public void A_sample_is_a_number_from_one_up(int every) => Assert.Throws<ArgumentOutOfRangeException>(() => TraceAdmission.Set(every, null));

    [Fact]
    public void The_largest_sample_admits_next_to_nothing_and_does_not_overflow()
    {
        TraceAdmission.Set(TraceAdmission.MaximumSampleEvery, null);
        TraceAdmission.Seed(_seed);
        Assert.True(Enumerable.Range(0, 100_000).Count(static _ => TraceAdmission.Admits(1, 1, 1)) < 5);
    }
}
