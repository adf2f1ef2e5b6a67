using Xunit;

namespace Quire.Analyzers.Tests;

/// <summary>QUIRE001: what is not released on some path.</summary>
public sealed class NotReleasedTests
{
    [Theory]
    [InlineData("PageFragment f = {|QUIRE001:cache.Allocate(10)|};")]
    [InlineData("PageFragment f = {|QUIRE001:cache.Allocate(10)|}; f.Span.Fill(1);")]
    [InlineData("PageFragment f = {|QUIRE001:cache.Allocate(10)|}; if (n == 0) { return; } f.Free();")]
    [InlineData("PageFragment f = {|QUIRE001:cache.Allocate(10)|}; if (n == 0) { f.Free(); }")]
    [InlineData("if (!{|QUIRE001:cache.TryAllocate(10, out PageFragment f, out _)|}) { return; } f.Span.Fill(1);")]
    [InlineData("bool ok = {|QUIRE001:cache.TryAllocate(10, out PageFragment f, out _)|}; if (ok) { f.Span.Fill(1); }")]
    [InlineData("for (int i = 0; i < n; i++) { PageFragment f = {|QUIRE001:cache.Allocate(10)|}; if (Maybe(i)) { continue; } f.Free(); }")]
    [InlineData("while (Maybe()) { PageFragment f = {|QUIRE001:cache.Allocate(10)|}; if (flag) { break; } f.Free(); }")]
    [InlineData("PageFragment f = {|QUIRE001:cache.Allocate(1)|}; f = cache.Allocate(2); f.Free();")]
    [InlineData("Page p = {|QUIRE001:allocator.Allocate()|}; Page q = {|QUIRE001:p.Get()|}; if (flag) { p.Put(); return; } q.Put();")]
    [InlineData("PageFragmentCache own = {|QUIRE001:new PageFragmentCache(allocator)|}; PageFragment f = own.Allocate(1); f.Free();")]
    [InlineData("switch (n) { case 1: PageFragment f = {|QUIRE001:cache.Allocate(1)|}; if (flag) { f.Free(); } break; }")]
    [InlineData("MovablePage m = MovablePage.Allocate(allocator); PagePin pin = {|QUIRE001:m.Pin()|}; Look(pin.Span); m.Free();")]
    public Task It_is_reported(string body) => Snippet.Holds(Snippet.Body(body));

    [Theory]
    [InlineData("PageFragment f = cache.Allocate(10); f.Free();")]
    [InlineData("PageFragment f = cache.Allocate(10); cache.Free(f);")]
    [InlineData("PageFragment f = cache.Allocate(10); try { Look(f.Span); } finally { f.Free(); }")]
    [InlineData("PageFragment f = cache.Allocate(10); try { if (n == 0) { return; } Look(f.Span); } finally { f.Free(); }")]
    [InlineData("using FragmentLease lease = cache.Allocate(10).Lease(); if (n == 0) { return; } Look(lease.Span);")]
    [InlineData("PageFragment f = cache.Allocate(10); using FragmentLease lease = f.Lease(); Look(f.Span);")]
    [InlineData("PageFragment f = cache.Allocate(10); Keep(f);")]
    [InlineData("List<PageFragment> all = []; PageFragment f = cache.Allocate(10); all.Add(f);")]
    [InlineData("PageFragment[] all = new PageFragment[2]; for (int i = 0; i < 2; i++) { all[i] = cache.Allocate(10); }")]
    [InlineData("bool owned = flag; PageFragment f = default; if (owned) { f = cache.Allocate(10); } Look(default(ReadOnlySpan<byte>)); if (owned) { f.Free(); }")]
    [InlineData("PageFragment f = default; if (n > 3) { f = cache.Allocate(10); } if (n > 3) { f.Free(); }")]
    [InlineData("PageFragment f = default; if (n > 3) { f = cache.Allocate(10); } if (f.IsAlive) { f.Free(); }")]
    [InlineData("PageFragment f = default; if (n > 3) { f = cache.Allocate(10); } if (f != default) { f.Free(); }")]
    [InlineData("PageFragment f = cache.Allocate(10); bool done = false; if (n > 3) { f.Free(); done = true; } Look(default(ReadOnlySpan<byte>)); if (!done) { f.Free(); }")]
    [InlineData("PageFragment f = default; if (n > 3) { f = cache.Allocate(10); } if (n <= 3) { return; } f.Free();")]
    [InlineData("PageFragment f = default; if (Maybe()) { f = cache.Allocate(10); } if (Maybe()) { f.Free(); }")]
    [InlineData("if (cache.TryAllocate(10, out PageFragment f, out _)) { f.Free(); }")]
    [InlineData("if (!cache.TryAllocate(10, out PageFragment f, out _)) { return; } f.Free();")]
    [InlineData("bool ok = cache.TryAllocate(10, out PageFragment f, out _); if (!ok) { return; } f.Free();")]
    [InlineData("PageFragment f = cache.Allocate(10); if (n == 0) { throw new ArgumentException(); } f.Free();")]
    [InlineData("PageFragment f = flag ? cache.Allocate(10) : default; if (flag) { f.Free(); }")]
    [InlineData("PageFragment f = cache.Allocate(10); Run(() => f.Free());")]
    [InlineData("PageFragment f = cache.Allocate(10); void Done() => f.Free(); Done();")]
    [InlineData("PageFragment f = cache.Allocate(10); (PageFragment, int) pair = (f, 1);")]
    [InlineData("PageFragment f = cache.Allocate(10); switch (n) { case 1: f.Free(); break; case 2: Keep(f); break; default: f.Free(); break; }")]
    [InlineData("PageFragment f = cache.Allocate(10); retry: if (Maybe()) { goto retry; } f.Free();")]
    [InlineData("PageFragment f = cache.Allocate(10); PageFragment g = f; g.Free();")]
    [InlineData("foreach (int i in new[] { 1 }) { PageFragment f = cache.Allocate(i); f.Free(); }")]
    [InlineData("PageFragment f = default; while (Maybe()) { f = cache.Allocate(1); f.Free(); }")]
    [InlineData("using PageFragmentCache own = new(allocator); PageFragment f = own.Allocate(1); f.Free();")]
    public Task What_is_released_or_handed_on_is_not(string body) => Snippet.Holds(Snippet.Body(body));
}
