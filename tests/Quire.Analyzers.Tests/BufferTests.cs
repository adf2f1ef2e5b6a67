using Xunit;

namespace Quire.Analyzers.Tests;

/// <summary>Pools, owners, packets, sequences, and methods that wait: the same rules.</summary>
public sealed class BufferTests
{
    private static string Method(string signature, string statements) =>
        $$"""
        using static Somewhere;
        class Subject
        {
            static {{signature}}
            {
                {{statements}}
            }
        }
        """;

    [Theory]
    [InlineData("void Do(QuireMemoryPool pool)", "PageMemory m = {|QUIRE001:pool.Rent(100)|}; m.Memory.Span.Clear();")]
    [InlineData("void Do(QuireMemoryPool pool)", "IMemoryOwner<byte> m = {|QUIRE001:pool.Rent()|}; Look(m.Memory);")]
    [InlineData("void Do(QuireMemoryPool pool, bool flag)", "if (!{|QUIRE001:pool.TryRent(10, out PageMemory? m, out _)|}) { return; } if (flag) { return; } m.Dispose();")]
    [InlineData("async Task Do(QuireMemoryPool pool)", "PageMemory m = await {|QUIRE001:pool.RentAsync(10)|}; await Later(); Look(m.Memory);")]
    [InlineData("async Task Do(QuireMemoryPool pool)", "PageMemory m = await {|QUIRE001:pool.RentAsync(10)|}.ConfigureAwait(false); Look(m.Memory);")]
    [InlineData("void Do(QuireMemoryPool pool)", "using PageMemory m = pool.Rent(10); PageMemory part = {|QUIRE001:m.Slice(0, 2)|}; Look(part.Memory);")]
    [InlineData("void Do(QuireMemoryPool pool)", "PageMemory m = pool.Rent(10); m.Dispose(); {|QUIRE002:m.Dispose()|};")]
    [InlineData("void Do(QuireMemoryPool pool)", "PageMemory m = pool.Rent(10); m.Dispose(); Look({|QUIRE003:m.Memory|});")]
    [InlineData("PageMemory Do(QuireMemoryPool pool)", "using PageMemory m = pool.Rent(10); return {|QUIRE003:m|};")]
    [InlineData("Memory<byte> Do(QuireMemoryPool pool)", "using PageMemory m = pool.Rent(10); return {|QUIRE006:m.Memory|};")]
    [InlineData("void Do(QuireMemoryPool pool)", "PageMemory m = pool.Rent(10); Memory<byte> bytes = m.Memory; m.Dispose(); Look({|QUIRE006:bytes|});")]
    [InlineData("void Do(QuireMemoryPool pool)", "PageMemory m = pool.Rent(10); PageMemory n = m; m.Dispose(); {|QUIRE005:n.Dispose()|};")]
    [InlineData("void Do(PageFragmentCache cache)", "PageFragment f = cache.Allocate(10); PageMemory m = PageMemory.Of(f); m.Dispose(); {|QUIRE005:f.Free()|};")]
    [InlineData("void Do()", "PacketBuffer p = {|QUIRE001:PacketBuffer.Allocate(100)|}; p.Put(4).Clear();")]
    [InlineData("void Do()", "PacketBuffer p = PacketBuffer.Allocate(100); PacketBuffer rest = {|QUIRE001:p.Split(10)|}; p.Dispose();")]
    [InlineData("void Do()", "PacketBuffer p = PacketBuffer.Allocate(100); Span<byte> s = p.Put(4); p.Dispose(); {|QUIRE006:s|}.Clear();")]
    [InlineData("void Do(PacketReceiveRing ring)", "while (ring.TryTake(1, out PacketBuffer p)) { Look(p.Head); p.Dispose(); {|QUIRE002:p.Dispose()|}; }")]
    [InlineData("void Do(FragmentBufferWriter writer)", "SharedSequence s = {|QUIRE001:writer.Detach()|}; Console.WriteLine(s.Length);")]
    [InlineData("void Do(SharedSequence s)", "ReadOnlySequence<byte> bytes = s.Bytes; s.Dispose(); Console.WriteLine({|QUIRE006:bytes|}.Slice(1).Length);")]
    [InlineData("void Do(QuireMemoryPool pool)", "FragmentBufferWriter w = {|QUIRE001:new FragmentBufferWriter(pool)|}; w.GetSpan(4).Clear();")]
    [InlineData("void Do(QuireMemoryPool pool)", "{|QUIRE008:pool.Rent(10)|};")]
    [InlineData("void Do(QuireMemoryPool pool)", "{|QUIRE008:pool.Rent(10)|}.Memory.Span.Clear();")]
    [InlineData("async Task Do(QuireMemoryPool pool)", "{|QUIRE008:await pool.RentAsync(10)|};")]
    [InlineData("void Do(QuireMemoryPool pool)", "{|QUIRE007:pool.TryRent(10, out PageMemory? m, out _)|}; m!.Dispose();")]
    public Task It_is_reported(string signature, string body) => Snippet.Holds(Method(signature, body));

    [Theory]
    [InlineData("void Do(QuireMemoryPool pool)", "using PageMemory m = pool.Rent(100); m.Memory.Span.Clear();")]
    [InlineData("void Do(QuireMemoryPool pool)", "using (PageMemory m = pool.Rent(100)) { Look(m.Memory); }")]
    [InlineData("void Do(QuireMemoryPool pool)", "using (pool.Rent(100)) { }")]
    [InlineData("void Do(QuireMemoryPool pool)", "PageMemory? m = null; try { m = pool.Rent(1); Look(m.Memory); } finally { m?.Dispose(); }")]
    [InlineData("void Do(QuireMemoryPool pool)", "PageMemory? m = null; try { m = pool.Rent(1); Look(m.Memory); } finally { if (m != null) { m.Dispose(); } }")]
    [InlineData("void Do(QuireMemoryPool pool, bool flag)", "PageMemory? m = flag ? pool.Rent(1) : null; m?.Dispose();")]
    [InlineData("void Do(QuireMemoryPool pool, bool flag)", "using PageMemory? m = flag ? pool.Rent(1) : null;")]
    [InlineData("void Do(QuireMemoryPool pool)", "PageMemory? m = pool.Rent(1); if (m is null) { return; } m.Dispose();")]
    [InlineData("void Do(QuireMemoryPool pool)", "if (pool.TryRent(10, out PageMemory? m, out _)) { using (m) { Look(m.Memory); } }")]
    [InlineData("void Do(QuireMemoryPool pool)", "if (!pool.TryRent(10, out PageMemory? m, out AllocationFailure why)) { Console.WriteLine(why); return; } m.Dispose();")]
    [InlineData("async Task Do(QuireMemoryPool pool)", "using PageMemory m = await pool.RentAsync(10); await Later(); Look(m.Memory);")]
    [InlineData("async Task Do(QuireMemoryPool pool)", "PageMemory m = await pool.RentAsync(10); try { await Later(); } finally { m.Dispose(); }")]
    [InlineData("async Task Do(QuireMemoryPool pool)", "ValueTask<PageMemory> later = pool.RentAsync(10); await Later(); using PageMemory m = await later;")]
    [InlineData("PageMemory Do(QuireMemoryPool pool)", "PageMemory m = pool.Rent(10); m.Memory.Span.Clear(); return m;")]
    [InlineData("Memory<byte> Do(QuireMemoryPool pool)", "return pool.Rent(10).Memory;")]
    [InlineData("PageMemory Do(QuireMemoryPool pool)", "using PageMemory m = pool.Rent(10); return m.Slice(0, 4);")]
    [InlineData("byte[] Do(QuireMemoryPool pool)", "using PageMemory m = pool.Rent(10); return m.Memory.ToArray();")]
    [InlineData("void Do(PageFragmentCache cache)", "using PageMemory m = PageMemory.Of(cache.Allocate(10)); Look(m.Memory);")]
    [InlineData("void Do(PageFragmentCache cache)", "PageFragment f = cache.Allocate(10); using PageMemory m = PageMemory.Of(f); Look(f.Span);")]
    [InlineData("void Do(PageFragmentCache cache)", "using PacketBuffer p = PacketBuffer.Build(cache.Allocate(100), 10, 20); Look(p.Head);")]
    [InlineData("void Do(PageFragmentCache cache)", "PacketBuffer p = PacketBuffer.Allocate(cache, 100); p.AddFragment(cache.Allocate(10)); p.Dispose();")]
    [InlineData("void Do()", "PacketBuffer p = PacketBuffer.Allocate(100); PacketBuffer q = PacketBuffer.Allocate(100); p.Coalesce(q); p.Dispose();")]
    [InlineData("void Do()", "PacketBuffer p = PacketBuffer.Allocate(100); PacketBuffer q = PacketBuffer.Allocate(100); if (!p.TryCoalesce(q)) { q.Dispose(); } p.Dispose();")]
    [InlineData("void Do(PacketReceiveRing ring, Queue<PacketBuffer> queue)", "while (ring.TryTake(1, out PacketBuffer p)) { queue.Enqueue(p); }")]
    [InlineData("void Do(QuireMemoryPool pool)", "using FragmentBufferWriter w = new(pool); w.GetSpan(4).Clear(); w.Advance(4); using SharedSequence s = w.Detach(); Console.WriteLine(s.Length);")]
    [InlineData("FragmentBufferWriter Do()", "QuireMemoryPool pool = new(); return new FragmentBufferWriter(pool);")]
    [InlineData("IEnumerable<PageMemory> Do(QuireMemoryPool pool)", "for (int i = 0; i < 3; i++) { PageMemory m = pool.Rent(1); yield return m; }")]
    [InlineData("void Do(QuireMemoryPool pool, out PageMemory given)", "PageMemory m = pool.Rent(1); given = m;")]
    [InlineData("void Do(QuireMemoryPool pool)", "_ = pool.Rent(10);")]
    [InlineData("void Do()", "IDisposable tracking = Holders.Track(); try { Maybe(); } finally { tracking.Dispose(); }")]
    public Task Right_code_is_not(string signature, string body) => Snippet.Holds(Method(signature, body));
}
