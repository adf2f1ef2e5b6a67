using Xunit;

namespace Quire.Explore;

public sealed unsafe class PageRefTests
{
    [Fact]
    public void Of_several_last_puts_exactly_one_reaches_0()
    {
        Explorer.Explore(static scene =>
        {
            PageAllocator allocator = Memory.New();
            Page page = new(Memory.Take(allocator)->Identity);
            PageRef.Add(page, 2);
            int last = 0;
            for (int i = 0; i < 3; i++)
            {
                scene.Thread($"putter {i}", () =>
                {
                    if (PageRef.DecAndTest(page))
                    {
                        last++;
                        allocator.FreeUnreferenced(page);
                    }
                });
            }

            scene.AtEnd(() =>
            {
                Assert.Equal(1, last);
                Assert.False(page.IsAlive);
                Memory.AssertAllBack(allocator);
            });
            scene.Afterwards(allocator.Dispose);
        });
    }

    [Fact]
    public void A_speculative_get_never_yields_a_reference_on_another_life_of_the_page()
    {
        Explorer.Explore(static scene =>
        {
            PageAllocator allocator = Memory.New();
            PageDescriptor* head = Memory.Take(allocator);
            Page first = new(head->Identity);
            scene.Thread("owner", () =>
            {
                first.Put();
                for (int life = 0; life < 2; life++)
                {
                    PageDescriptor* again = Memory.Take(allocator);
                    Page page = new(again->Identity);
                    Assert.NotEqual(first, page);
                    page.Put();
                }
            });
            for (int i = 0; i < 2; i++)
            {
                scene.Thread($"finder {i}", () =>
                {
                    if (first.TryGet(out Page mine, out _))
                    {
                        Assert.Equal(PageIdentity.Unmarked(first._identity), Atomic.LoadAcquire(ref head->Identity));
                        Assert.True(PageRef.Count(head) > 0);
                        mine.Put();
                    }
                });
            }

            scene.AtEnd(() => Memory.AssertAllBack(allocator));
            scene.Afterwards(allocator.Dispose);
        });
    }

    [Fact]
    public void Who_froze_a_page_is_alone_with_it_and_handles_from_before_its_reuse_find_nothing()
    {
        Explorer.Explore(static scene =>
        {
            PageAllocator allocator = Memory.New();
            PageDescriptor* head = Memory.Take(allocator);
            Page page = new(head->Identity);
            bool alone = false;
            scene.Thread("freezer", () =>
            {
                for (int round = 0; round < 3; round++)
                {
                    if (PageRef.Freeze(head, 1, origin: 0))
                    {
                        alone = true;
                        Atomic.Point();
                        if (round == 1)
                        {
                            Assert.True(PagePreparation.TryEndGeneration(head));
                        }

                        Atomic.Point();
                        alone = false;
                        PageRef.Unfreeze(head, 1, origin: 0);
                    }
                }
            });
            for (int i = 0; i < 2; i++)
            {
                scene.Thread($"getter {i}", () =>
                {
                    if (page.TryGet(out Page mine, out PageGetFailure failure))
                    {
                        Assert.False(alone);
                        Page second = mine.Get();
                        mine.Put();
                        Assert.False(alone);
                        Assert.Equal(page._identity, Atomic.LoadAcquire(ref head->Identity));
                        second.Put();
                    }
                    else
                    {
                        Assert.True(failure is PageGetFailure.Frozen || !page.IsAlive, "a page that lives and is not frozen was refused");
                    }
                });
            }

            scene.AtEnd(() =>
            {
                Assert.Equal(1, PageRef.Count(head));
                allocator.FreeDestinations(head->Frame);
                Memory.AssertAllBack(allocator);
            });
            scene.Afterwards(allocator.Dispose);
        });
    }
}
