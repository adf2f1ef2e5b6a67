using Xunit;

namespace Quire.Explore;

public sealed unsafe class MagazineBlockTests
{
    private const int Pages = 6;

    /// <summary>Only tokens here: what a magazine does with a page is to name it.</summary>
    private static readonly nint[] s_pages = TakePages();
    private static readonly PageAllocator s_allocator = PageAllocator.Shared;

    [Fact]
    public void No_page_is_in_two_hands_and_none_is_lost_when_a_magazine_is_revoked_under_its_owner()
    {
        Explorer.Explore(static scene =>
        {
            PageMagazine keeper = new(s_allocator);
            MagazineBlock* magazine = keeper.Block;
            List<nint> owned = [.. s_pages[3..]];
            List<nint> revoked = [];
            foreach (nint page in s_pages[..3])
            {
                Assert.True(magazine->TryPush((PageDescriptor*)page));
            }

            scene.Thread("owner", () =>
            {
                Pop(magazine, owned);
                Push(magazine, owned);
                Pop(magazine, owned);
                Pop(magazine, owned);
                Push(magazine, owned);
                Push(magazine, owned);
                Span<nint> oldest = stackalloc nint[2];
                int taken = magazine->TakeOldest(oldest);
                owned.AddRange(oldest[..taken]);
                Pop(magazine, owned);
            });
            scene.Thread("revoker", () =>
            {
                nint[] pages = new nint[MagazineBlock.Capacity];
                for (int round = 0; round < 3; round++)
                {
                    revoked.AddRange(pages[..magazine->Revoke(pages)]);
                }
            });
            scene.AtEnd(() =>
            {
                nint[] left = new nint[MagazineBlock.Capacity];
                int count = magazine->Revoke(left);
                Assert.Equal(s_pages.Order(), owned.Concat(revoked).Concat(left[..count]).Order());
                GC.KeepAlive(keeper);
            });
        });
    }

    private static void Pop(MagazineBlock* magazine, List<nint> owned)
    {
        PageDescriptor* page = magazine->Pop();
        if (page != null)
        {
            owned.Add((nint)page);
        }
    }

    private static void Push(MagazineBlock* magazine, List<nint> owned)
    {
        if (magazine->TryPush((PageDescriptor*)owned[^1]))
        {
            owned.RemoveAt(owned.Count - 1);
        }
    }

    private static nint[] TakePages()
    {
        PageAllocator allocator = Memory.New();
        return [.. Enumerable.Range(0, Pages).Select(_ => (nint)Memory.Take(allocator))];
    }
}
