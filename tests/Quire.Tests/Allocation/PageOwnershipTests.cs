using Xunit;

namespace Quire.Tests.Allocation;

/// <summary>A page belongs to one holder at a time, whoever takes, frees, trims or dies beside him.</summary>
/// <remarks>Each holder stamps its pages' first word from 0 to its own number and back; a page handed out twice shows at the exchange.</remarks>
public unsafe class PageOwnershipTests
{
    [Theory]
    [InlineData("mapped")]
    [InlineData("pinned")]
    [InlineData("hostile")]
    public void No_page_is_handed_out_twice(string provider) => Trial.Seeded(random =>
    {
        PageAllocator allocator = Trial.Allocator(provider: Trial.Provider(provider));
        int[] seeds = [.. Enumerable.Range(0, 4).Select(_ => random.Next())];
        Func<bool> goOn = Trial.For(700);
        Trial.OnThreads(4, number => Churn(allocator, new Random(seeds[number]), number + 1, goOn, maxOrder: Page.MaxOrder));
        AssertWhole(allocator);
    });

    [Fact]
    public void Taking_back_the_pages_of_a_busy_thread_never_gives_one_twice() => Trial.Seeded(random =>
    {
        // Order 0 only, and few pages a thread: nearly every step is the magazine's, while the other thread revokes it without a pause.
        PageAllocator allocator = Trial.Allocator();
        int[] seeds = [.. Enumerable.Range(0, 3).Select(_ => random.Next())];
        Func<bool> goOn = Trial.For(2500);
        Trial.OnThreads(3, number =>
        {
            if (number == 2)
            {
                while (goOn())
                {
                    allocator.Reclaim();
                }

                return;
            }

            Churn(allocator, new Random(seeds[number]), number + 1, goOn, maxOrder: 0);
        });
        AssertWhole(allocator);
    });

    internal static void Churn(PageAllocator allocator, Random random, int number, Func<bool> goOn, int maxOrder)
    {
        List<Page> mine = [];
        while (goOn())
        {
            for (int i = 0; i < 256; i++)
            {
                if (mine.Count == 0 || (mine.Count < 40 && random.Next(2) == 0))
                {
                    // Most pages are of order 0, as in life.
                    int order = random.Next(4) == 0 ? random.Next(maxOrder + 1) : 0;
                    if (!allocator.TryAllocate(out Page page, out _, order, (MigrateType)random.Next(2)))
                    {
                        continue;
                    }

                    Stamp(page, 0, number);
                    mine.Add(page);
                }
                else
                {
                    int index = random.Next(mine.Count);
                    Page page = mine[index];
                    mine[index] = mine[^1];
                    mine.RemoveAt(mine.Count - 1);
                    Stamp(page, number, 0);
                    allocator.Free(page, (PageTemperature)random.Next(2));
                }
            }
        }

        foreach (Page page in mine)
        {
            Stamp(page, number, 0);
            page.Put();
        }
    }

    /// <summary>Every frame of the page goes from one owner to the other.</summary>
    private static void Stamp(Page page, int from, int to)
    {
        Span<byte> bytes = page.Span;
        for (int i = 0; i < bytes.Length; i += Trial.Frame)
        {
            int was = Interlocked.Exchange(ref *(int*)(page.Address + i), to);
            Assert.True(was == from, $"{page} frame {i / Trial.Frame} is owner {was}'s, while {from} has it.{Environment.NewLine}{page.Dump()}");
        }
    }

    internal static void AssertWhole(PageAllocator allocator)
    {
        allocator.Verify();
        PageAllocatorStatistics now = allocator.GetStatistics();
        Assert.Equal(0, now.InUseFrames);
        allocator.Trim();
        now = allocator.GetStatistics();
        Assert.Equal(now.ManagedFrames, now.BuddyFrames);
        for (int order = 0; order < Page.MaxOrder; order++)
        {
            for (MigrateType type = MigrateType.Unmovable; type <= MigrateType.Isolated; type++)
            {
                // Blocks of 2 MiB may stay apart where their types differ.
                Assert.True(order >= BuddyZone.BlockOrder || allocator.Zone.Lists.Blocks(order, type) == 0, $"Order {order} of {type} was not merged.");
            }
        }

        allocator.Verify();
        allocator.Dispose();
    }
}
