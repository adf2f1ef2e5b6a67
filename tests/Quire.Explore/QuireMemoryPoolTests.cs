using Xunit;

namespace Quire.Explore;

/// <summary>A pool's end beside rents on their hot way, which count and look without a fence.</summary>
public sealed class QuireMemoryPoolTests
{
    [Fact]
    public void A_pool_that_has_ended_has_no_owner_out_and_gives_none() => Explorer.Explore(static scene =>
    {
        PageAllocator allocator = Memory.New();
        allocator.Allocate().Put();
        QuireMemoryPool pool = new(new QuireMemoryPoolOptions { Allocator = allocator });
        bool isOver = false;
        scene.Thread("renter", () =>
        {
            // The first rent is the slow way, which leads to the magazine; the next ones are hot.
            for (int i = 0; i < 3; i++)
            {
                bool over = isOver;
                try
                {
                    PageMemory owner = pool.Rent(4096);
                    Assert.False(over || isOver, "An owner of a pool that has ended.");
                    owner.Dispose();
                }
                catch (ObjectDisposedException)
                {
                    // Refused: the end has begun, and may fail yet.
                }
            }
        });
        scene.Thread("disposer", () =>
        {
            for (int i = 0; i < 3 && !isOver; i++)
            {
                try
                {
                    pool.Dispose();
                    isOver = true;
                }
                catch (PagesStillHeldException)
                {
                    // The pool stands.
                }
            }
        });
        scene.AtEnd(() =>
        {
            if (!isOver)
            {
                pool.Dispose();
            }

            Assert.Equal(0, allocator.GetStatistics().InUseFrames);
        });
    });
}
