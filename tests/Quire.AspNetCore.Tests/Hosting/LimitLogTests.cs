using Microsoft.Extensions.Logging;
using Xunit;

namespace Quire.AspNetCore.Tests.Hosting;

/// <summary>A limit that is hit is logged with the holders, once an interval.</summary>
public sealed class LimitLogTests
{
    [Fact]
    public async Task A_limit_hit_many_times_gives_one_message_an_interval_that_counts_the_refusals_and_names_the_holders()
    {
        using RecordedLog log = new();
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "small", LimitBytes = 4 << 20, TrimInterval = Timeout.InfiniteTimeSpan });
        long now = 1000;
        using LimitLog limit = new(allocator, TimeSpan.FromSeconds(10), log.CreateLogger(QuireLog.Category), () => Volatile.Read(ref now));
        using IDisposable tracking = Holders.Track();
        List<Page> pages = [];
        while (allocator.TryAllocate(out Page page, out _, Page.MaxOrder))
        {
            pages.Add(page);
        }

        for (int i = 0; i < 20; i++)
        {
            Assert.False(allocator.TryAllocate(out _, out AllocationFailure failure));
            Assert.Equal(AllocationFailure.LimitReached, failure);
        }

        await Messages(log, 1);
        await Task.Delay(100);
        string first = Assert.Single(log.Of(1));
        Assert.Contains("Allocator 'small' is at its limit of 4194304 bytes, 4194304 of them in use", first, StringComparison.Ordinal);
        Assert.Contains("LimitLogTests.cs", first, StringComparison.Ordinal);

        Volatile.Write(ref now, 11_001);
        Assert.False(allocator.TryAllocate(out _, out _));
        await Messages(log, 2);

        // All 22 refusals are in one message or the other; the first may have come while some were under way.
        Assert.Equal(22, log.Of(1).Sum(static text => long.Parse(text.Split('(')[1].Split(' ')[0])));
        Assert.All(log.Messages, static message => Assert.Equal(LogLevel.Warning, message.Level));
        pages.ForEach(static page => page.Put());
    }

    [Fact]
    public async Task A_log_that_throws_costs_a_notice_and_not_the_process()
    {
        using RecordedLog log = new() { Fault = new InvalidOperationException("the disk is full") };
        using PageAllocator allocator = new(new PageAllocatorOptions { Name = "small", LimitBytes = 4 << 20, TrimInterval = Timeout.InfiniteTimeSpan });
        using LimitLog limit = new(allocator, TimeSpan.Zero, log.CreateLogger(QuireLog.Category));
        Page all = allocator.Allocate(Page.MaxOrder);
        Assert.False(allocator.TryAllocate(out _, out _));
        await Messages(log, 1);
        log.Fault = null;
        Assert.False(allocator.TryAllocate(out _, out _));
        await Messages(log, 2);
        all.Put();
    }

    private static async Task Messages(RecordedLog log, int count)
    {
        await Soon.Until(() => log.Of(1).Count() >= count);
        Assert.Equal(count, log.Of(1).Count());
    }
}
