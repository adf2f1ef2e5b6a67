using System.Collections.Concurrent;
using Xunit;

namespace Quire.Tests.Tracing;

/// <summary>Threads that end: their rings, records and names.</summary>
public sealed class LedgerThreadsTests : IDisposable
{
    private const ulong Page = (1ul << 28) | 1;

    private readonly LedgerStore _ledger = new();

    public void Dispose() => _ledger.Dispose();

    [Fact]
    public void Five_thousand_threads_leave_as_many_rings_as_lived_at_once()
    {
        const int Threads = 5000;
        const int AtOnce = 4;
        ConcurrentQueue<uint> handedOn = [];
        Queue<Thread> running = [];
        uint kept = 0;
        for (int i = 0; i < Threads; i++)
        {
            int number = i;
            Thread thread = new(() =>
            {
                uint[] tickets = [.. Enumerable.Range(0, 20).Select(_ => Take())];
                foreach (uint ticket in tickets.AsSpan(0, 10))
                {
                    Assert.Equal(LedgerOutcome.Released, Release(ticket).Outcome);
                }

                foreach (uint ticket in tickets.AsSpan(10))
                {
                    handedOn.Enqueue(ticket);
                }

                if (number == 3)
                {
                    kept = Take();
                }
            })
            { Name = $"short {i}" };
            thread.Start();
            running.Enqueue(thread);
            if (running.Count == AtOnce)
            {
                running.Dequeue().Join();
            }

            while (handedOn.TryDequeue(out uint ticket))
            {
                Assert.Equal(LedgerOutcome.Released, Release(ticket).Outcome);
            }
        }

        foreach (Thread thread in running)
        {
            thread.Join();
        }

        while (handedOn.TryDequeue(out uint ticket))
        {
            Assert.Equal(LedgerOutcome.Released, Release(ticket).Outcome);
        }

        Assert.InRange(_ledger.RingCount, 1, AtOnce + 2);
        Assert.InRange(_ledger.CarvedRecords, 1, (AtOnce + 4) * (int)LedgerRing.Capacity);
        Assert.InRange(_ledger.ThreadNameCount, 1, 2500);
        Holder holder = Assert.Single(_ledger.Snapshot());
        Assert.Equal(kept, holder.Ticket);
        Assert.Equal("short 3", holder.Taken.ThreadName);
        Assert.True(_ledger.Verify());
    }

    [Fact]
    public void A_record_keeps_the_name_of_its_dead_thread_when_another_adopts_the_ring()
    {
        uint first = 0;
        uint second = 0;
        On("first", () => first = Take());
        On("second", () => second = Take());
        Assert.Equal(1, _ledger.RingCount);
        Assert.Equal("first", _ledger.Find(first)!.Taken.ThreadName);
        Assert.Equal("second", _ledger.Find(second)!.Taken.ThreadName);
        On("third", () => Release(first));
        Assert.Equal("third", Release(first).Conflict!.Released!.Value.ThreadName);
    }

    [Fact]
    public void Threads_that_start_together_never_adopt_the_same_ring()
    {
        const int AtOnce = 8;
        for (int round = 0; round < 150; round++)
        {
            using Barrier start = new(AtOnce);
            using Barrier end = new(AtOnce);
            ConcurrentBag<uint> tickets = [];
            Thread[] threads = [.. Enumerable.Range(0, AtOnce).Select(_ => new Thread(() =>
            {
                start.SignalAndWait();
                for (int i = 0; i < 50; i++)
                {
                    tickets.Add(Take());
                }

                end.SignalAndWait();
            }))];
            Run(threads);
            Assert.Equal(AtOnce * 50, tickets.Distinct().Count());
            Run([.. Enumerable.Range(0, AtOnce).Select(_ => new Thread(() =>
            {
                start.SignalAndWait();
                while (tickets.TryTake(out uint ticket))
                {
                    Assert.Equal(LedgerOutcome.Released, Release(ticket).Outcome);
                }
            }))]);
            Assert.True(_ledger.Verify());
        }

        Assert.InRange(_ledger.RingCount, 1, AtOnce);
    }

    [Fact]
    public void A_full_ledger_takes_back_the_free_records_of_dead_threads()
    {
        _ledger.MaximumRecords = 2 * (int)LedgerRecords.Batch;
        uint mine = Take();
        On("hoarder", () =>
        {
            uint[] tickets = [.. Enumerable.Range(0, (int)LedgerRecords.Batch).Select(_ => Take())];
            foreach (uint ticket in tickets)
            {
                Release(ticket);
            }
        });

        for (int i = 1; i < _ledger.MaximumRecords; i++)
        {
            Assert.True(Take() != 0, $"take {i} of {_ledger.MaximumRecords} found no record");
        }

        Assert.Equal(0u, Take());
        Assert.Equal(LedgerOutcome.Released, Release(mine).Outcome);
        Assert.True(_ledger.Verify());

        // The emptied ring still finds its next owner.
        On("heir", () => Release(Take()));
        Assert.Equal(2, _ledger.RingCount);
        Assert.True(_ledger.Verify());
    }

    [Fact]
    public void A_thread_that_only_releases_hands_records_on_to_those_that_take()
    {
        // One takes, another releases: without the pool in between the ledger would grow with every round.
        for (int round = 0; round < 100; round++)
        {
            uint[] tickets = [.. Enumerable.Range(0, 700).Select(_ => Take())];
            On("releaser", () => Array.ForEach(tickets, ticket => Assert.Equal(LedgerOutcome.Released, Release(ticket).Outcome)));
        }

        Assert.InRange(_ledger.CarvedRecords, 700, 700 + (3 * (int)LedgerRing.Capacity));
        Assert.True(_ledger.Verify());
    }

    [Fact]
    public void Two_ledgers_in_one_thread_keep_their_records_apart()
    {
        using LedgerStore other = new();
        for (int i = 0; i < 1000; i++)
        {
            uint here = Take();
            uint there = other.Take(Page, 1, 0, HolderKind.Page, "T.cs", 1, "Take");
            Assert.Equal(LedgerOutcome.Released, Release(here).Outcome);
            Assert.Equal(LedgerOutcome.Released, other.Release(there, Page, 1, "T.cs", 2, "Release").Outcome);
        }

        Assert.Equal(1, _ledger.RingCount);
        Assert.Equal(1, other.RingCount);
        Assert.True(_ledger.Verify() && other.Verify());
    }

    private uint Take() => _ledger.Take(Page, 1, 0, HolderKind.Page, "T.cs", 1, "Take");

    private LedgerRelease Release(uint ticket) => _ledger.Release(ticket, Page, 1, "T.cs", 2, "Release");

    private static void On(string name, Action action)
    {
        Exception? failure = null;
        Thread thread = new(() => failure = Record.Exception(action)) { Name = name };
        Run([thread]);
        Assert.Null(failure);
    }

    private static void Run(Thread[] threads)
    {
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
    }
}
