using Quire.Benchmarks.Measuring;
using Quire.Benchmarks.Work;

namespace Quire.Benchmarks.Rows;

/// <summary>Quire's side of every row, as a user would write it: the ordinary public calls, the always-on checks, tracking off.</summary>
/// <remarks>
/// Each row has an allocator of its own with default options, so that no row inherits what another left behind.
/// What a contender needs disposed of goes to the row's <see cref="Owned"/>.
/// A fresh fragment or page is written through the bytes that come with it.
/// </remarks>
internal static class QuireContenders
{
    private const string Name = "Quire";

    public static Contender OwnerFragments(int size, Owned owned, PageAllocatorOptions? options = null) =>
        new BatchContender<FragmentBlocks, PageFragment>(Name, ContenderRole.Quire, OpenCache(size, owned, options));

    /// <summary>The cache is the producer's, which is the calling thread.</summary>
    public static Contender HandoffFragments(int size, Consumer consumer, HandoffStyle style, Owned owned) =>
        new HandoffContender<FragmentBlocks, PageFragment>(Name, ContenderRole.Quire, OpenCache(size, owned), consumer, style);

    public static Contender Pages(Owned owned, PageAllocatorOptions? options = null) =>
        new PairContender<PageBlocks, Page>(Name, ContenderRole.Quire, new PageBlocks(owned.Add(new PageAllocator(options ?? new PageAllocatorOptions()))));

    /// <summary>One page is there all the time; references to it are taken and dropped.</summary>
    public static Contender References(Owned owned, PageAllocatorOptions? options = null) =>
        new PairContender<ReferenceBlocks, Page>(Name, ContenderRole.Quire, OpenReferences(owned, options));

    /// <summary>References to one page, to be taken and dropped in whatever way.</summary>
    public static ReferenceBlocks OpenReferences(Owned owned, PageAllocatorOptions? options = null) => new(owned.Add(new HeldPage(options)).Page);

    /// <summary>Fragments, the same.</summary>
    public static FragmentBlocks OpenCache(int size, Owned owned, PageAllocatorOptions? options = null)
    {
        PageAllocator allocator = owned.Add(new PageAllocator(options ?? new PageAllocatorOptions()));
        return new FragmentBlocks(owned.Add(new PageFragmentCache(allocator)), size);
    }

    internal readonly unsafe struct FragmentBlocks(PageFragmentCache cache, int size) : IBlocks<PageFragment>
    {
        private readonly PageFragmentCache _cache = cache;
        private readonly int _size = size;

        public PageFragment Take()
        {
            PageFragment fragment = _cache.Allocate(_size, out Span<byte> bytes);
            bytes[0] = 1;
            return fragment;
        }

        public byte Read(PageFragment block) => *block.Address;

        public void Drop(PageFragment block) => _cache.Free(block);

        public void DropElsewhere(PageFragment block) => block.Free();

        public void DropElsewhere(ReadOnlySpan<PageFragment> blocks) => PageFragment.Free(blocks);
    }

    private readonly unsafe struct PageBlocks(PageAllocator allocator) : IBlocks<Page>
    {
        private readonly PageAllocator _allocator = allocator;

        public Page Take()
        {
            Page page = _allocator.Allocate(out Span<byte> bytes);
            bytes[0] = 1;
            return page;
        }

        public byte Read(Page block) => *block.Address;

        public void Drop(Page block) => _allocator.Free(block);

        public void DropElsewhere(Page block) => block.Put();

        public void DropElsewhere(ReadOnlySpan<Page> blocks) => _allocator.Free(blocks);
    }

    internal readonly unsafe struct ReferenceBlocks(Page page) : IBlocks<Page>
    {
        private readonly Page _page = page;

        public Page Take() => _page.Get();

        public byte Read(Page block) => *block.Address;

        public void Drop(Page block) => block.Put();

        public void DropElsewhere(Page block) => block.Put();

        public void DropElsewhere(ReadOnlySpan<Page> blocks)
        {
            foreach (Page block in blocks)
            {
                block.Put();
            }
        }
    }

    /// <summary>A page in use, for as long as the row is.</summary>
    internal sealed class HeldPage : IDisposable
    {
        private readonly PageAllocator _allocator;

        public HeldPage(PageAllocatorOptions? options = null)
        {
            _allocator = new PageAllocator(options ?? new PageAllocatorOptions());
            Page = _allocator.Allocate();
        }

        public Page Page { get; }

        public void Dispose()
        {
            Page.Put();
            _allocator.Dispose();
        }
    }
}
