using Quire.Tests.Tracing;
using Xunit;

namespace Quire.Explore;

public sealed class LedgerTests
{
    private const ulong Identity = 0x1234;

    /// <summary>What the page's descriptor keeps of its raw records.</summary>
    private sealed class Head
    {
        internal uint Raw;
    }

    [Fact]
    public void Of_releases_of_one_reference_exactly_one_wins_and_the_others_are_told_by_whom()
    {
        Explorer.Explore(static scene =>
        {
            LedgerStore store = new();
            uint ticket = store.Take(Identity, 1, 8, HolderKind.Page, "Taker.cs", 1, "Take");
            LedgerRelease[] releases = new LedgerRelease[3];
            for (int i = 0; i < releases.Length; i++)
            {
                int me = i;
                scene.Thread($"releaser {me}", () =>
                {
                    if (me != 2)
                    {
                        // With a ring of its own it goes the fast way, without one the slow.
                        store.Release(store.Take(Identity + 1, 1, 8, HolderKind.Page, "Taker.cs", 2, "Take"), Identity + 1, 1, "Releaser.cs", 99, "Release");
                    }

                    releases[me] = store.Release(ticket, Identity, 1, "Releaser.cs", 10 + me, "Release");
                });
            }

            scene.AtEnd(() =>
            {
                int winner = Assert.Single(Enumerable.Range(0, releases.Length), i => releases[i].Outcome == LedgerOutcome.Released);
                foreach (LedgerRelease release in releases.Where((_, i) => i != winner))
                {
                    Assert.Equal(LedgerOutcome.Stale, release.Outcome);
                    Assert.Equal(1, release.Conflict!.Taken!.Value.Site.Line);
                    Assert.Equal(10 + winner, release.Conflict.Released!.Value.Site.Line);
                }

                Assert.True(store.Verify());
            });
            scene.Afterwards(store.Dispose);
        });
    }

    [Fact]
    public void A_counted_record_released_in_parts_gives_exactly_what_it_holds()
    {
        Explorer.Explore(static scene =>
        {
            LedgerStore store = new();
            uint ticket = store.Take(Identity, 4, 8, HolderKind.Page, "Taker.cs", 1, "Take");
            int released = 0;
            int refused = 0;
            for (int i = 0; i < 3; i++)
            {
                scene.Thread($"releaser {i}", () =>
                {
                    LedgerRelease release = store.Release(ticket, Identity, 2, "Releaser.cs", 2, "Release");
                    released += release.Outcome == LedgerOutcome.Released ? 2 : 0;
                    refused += release.Outcome is LedgerOutcome.Stale or LedgerOutcome.TooMany ? 1 : 0;
                });
            }

            scene.Thread("toucher", () => store.Touch(ticket, "Toucher.cs", 3, "Touch"));
            scene.AtEnd(() =>
            {
                Assert.Equal(4, released);
                Assert.Equal(1, refused);
                Assert.Equal(0, store.ReferencesOf(Identity));
                Assert.True(store.Verify());
            });
            scene.Afterwards(store.Dispose);
        });
    }

    [Fact]
    public void No_reader_sees_a_mixture_of_two_takes()
    {
        Explorer.Explore(static scene =>
        {
            // One record, so that every take takes the same.
            LedgerStore store = new() { MaximumRecords = 1 };
            uint last = 0;
            scene.Thread("holder", () =>
            {
                for (int n = 1; n <= 3; n++)
                {
                    last = store.Take((ulong)n, n, (uint)n, (HolderKind)n, "Taker.cs", n, "Take");
                    Assert.NotEqual(0u, last);
                    store.Touch(last, "Toucher.cs", 10 + n, "Touch");
                    store.Transfer(last, "Toucher.cs", 20 + n, "Touch");
                    Assert.Equal(LedgerOutcome.Released, store.Release(last, (ulong)n, n, "Releaser.cs", 30 + n, "Release").Outcome);
                }
            });
            scene.Thread("snapshot", () => store.Snapshot().ForEach(AssertWhole));
            scene.Thread("query", () =>
            {
                store.Of(2).ForEach(AssertWhole);
                if (store.Find(last) is { } found)
                {
                    AssertWhole(found);
                }

                if (store.ReleaseOf(last) is { Released: { } end, Taken: { } taken } conflict)
                {
                    Assert.Equal((int)conflict.Identity, taken.Site.Line);
                    Assert.Equal((int)conflict.Kind, taken.Site.Line);
                    Assert.Equal(30 + taken.Site.Line, end.Site.Line);
                }
            });
            scene.AtEnd(() => Assert.True(store.Verify()));
            scene.Afterwards(store.Dispose);
        });
    }

    [Fact]
    public void No_reader_sees_a_mixture_of_two_touches()
    {
        Explorer.Explore(static scene =>
        {
            LedgerStore store = new();
            uint ticket = store.Take(Identity, 1, 8, HolderKind.Page, "Taker.cs", 1, "Take");
            Assert.True(store.Touch(ticket, "Toucher.cs", 2, "Touch"));
            int first = Environment.CurrentManagedThreadId;
            int second = 0;
            scene.Thread("toucher", () =>
            {
                second = Environment.CurrentManagedThreadId;
                Assert.True(store.Touch(ticket, "Toucher.cs", 3, "Touch"));
            });
            scene.Thread("reader", () =>
            {
                // A stamp is a line and a thread: both of the same touch.
                HolderStamp stamp = store.Find(ticket)!.Touched!.Value;
                Assert.Equal(stamp.Site.Line == 2 ? first : second, stamp.ThreadId);
            });
            scene.AtEnd(() => Assert.True(store.Verify()));
            scene.Afterwards(store.Dispose);
        });
    }

    [Fact]
    public void Raw_counts_of_several_threads_on_one_page_pair_to_the_last()
    {
        Explorer.Explore(static scene =>
        {
            LedgerStore store = new();
            Head head = new();
            store.TakeRaw(ref head.Raw, Identity, 1, "Taker.cs", 1, "Take");
            for (int i = 0; i < 2; i++)
            {
                scene.Thread($"counter {i}", () =>
                {
                    store.TakeRaw(ref head.Raw, Identity, 2, "Taker.cs", 2, "Take");
                    Assert.Equal(1, store.ReleaseRaw(ref head.Raw, Identity, 1, "Releaser.cs", 3, "Release"));
                    Assert.Equal(1, store.ReleaseRaw(ref head.Raw, Identity, 1, "Releaser.cs", 3, "Release"));
                });
            }

            scene.Thread("releaser", () => Assert.Equal(1, store.ReleaseRaw(ref head.Raw, Identity, 1, "Releaser.cs", 4, "Release")));
            scene.AtEnd(() =>
            {
                Assert.Equal(0u, head.Raw);
                Assert.Equal(0, store.ReferencesOf(Identity));
                Assert.Equal(0, store.Unmatched);
                Assert.True(store.Verify());
            });
            scene.Afterwards(store.Dispose);
        });
    }

    /// <summary>All of a record's fields tell of the same take.</summary>
    private static void AssertWhole(Holder holder)
    {
        int n = holder.Taken.Site.Line;
        Assert.Equal((n, n, n, n), ((int)holder.Identity, holder.References, (int)holder.Bytes, (int)holder.Kind));
        Assert.True(holder.Touched is not { } touched || touched.Site.Line == 10 + n || touched.Site.Line == 20 + n, holder.ToString());
    }
}
