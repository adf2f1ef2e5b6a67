using Xunit;

namespace Quire.Analyzers.Tests;

/// <summary>QUIRE006: a span, a Memory or an address that outlives its reference.</summary>
public sealed class ViewTests
{
    private static string Method(string signature, string statements) =>
        $$"""
        using static Somewhere;
        unsafe class Subject
        {
            PageFragment _f;
            static {{signature}}
            {
                {{statements}}
            }
        }
        """;

    [Theory]
    [InlineData("PageFragment f = cache.Allocate(1); Span<byte> s = f.Span; f.Free(); {|QUIRE006:s|}.Clear();")]
    [InlineData("PageFragment f = cache.Allocate(1); Span<byte> s = f.Span; f.Free(); Look({|QUIRE006:s|});")]
    [InlineData("PageFragment f = cache.Allocate(1, out Span<byte> s); f.Free(); Look({|QUIRE006:s|});")]
    [InlineData("PageFragment f = cache.Allocate(1); ReadOnlySpan<byte> s = f.Span; f.Free(); Look({|QUIRE006:s|});")]
    [InlineData("PageFragment f = cache.Allocate(1); Span<byte> s = f.Span[1..]; f.Free(); {|QUIRE006:s|}.Clear();")]
    [InlineData("PageFragment f = cache.Allocate(1); Span<byte> s = f.Span; Span<byte> t = s.Slice(1); f.Free(); {|QUIRE006:t|}.Clear();")]
    [InlineData("Page p = allocator.Allocate(); Span<byte> s = p.Span; p.Put(); {|QUIRE006:s|}[0] = 1;")]
    [InlineData("Page p = allocator.Allocate(out Span<byte> s); p.Put(); {|QUIRE006:s|}[0] = 1;")]
    [InlineData("Page p = allocator.Allocate(); byte* at = p.Address; p.Put(); *{|QUIRE006:at|} = 1;")]
    [InlineData("MovablePage m = MovablePage.Allocate(allocator); PagePin pin = m.Pin(); Span<byte> s = pin.Span; pin.Unpin(); Look({|QUIRE006:s|}); m.Free();")]
    [InlineData("PageFragment f = cache.Allocate(1); Span<byte> s = f.Span; if (flag) { f.Free(); Look({|QUIRE006:s|}); return; } f.Free();")]
    public Task A_view_used_after_the_release_is_reported(string body) => Snippet.Holds(Snippet.Body(body));

    [Theory]
    [InlineData("Span<byte> Do(PageFragmentCache cache)", "PageFragment f = cache.Allocate(1); try { return {|QUIRE006:f.Span|}; } finally { f.Free(); }")]
    [InlineData("Span<byte> Do(PageFragment f)", "Span<byte> s = f.Span; f.Free(); return {|QUIRE006:s|};")]
    [InlineData("byte* Do(PageAllocator a)", "Page p = a.Allocate(); byte* at = p.Address; p.Put(); return {|QUIRE006:at|};")]
    [InlineData("ReadOnlySpan<byte> Do(PageFragment f)", "try { return {|QUIRE006:f.Span[2..]|}; } finally { f.Free(); }")]
    public Task A_view_returned_after_the_release_is_reported(string signature, string body) => Snippet.Holds(Method(signature, body));

    [Theory]
    [InlineData("PageFragment f = cache.Allocate(1); Span<byte> s = f.Span; Look(s); f.Free();")]
    [InlineData("PageFragment f = cache.Allocate(1); Span<byte> s = f.Span; f.Free(); s = stackalloc byte[4]; s.Clear();")]
    [InlineData("PageFragment f = cache.Allocate(1); Span<byte> s = f.Span; f.Free(); f = cache.Allocate(2); s = f.Span; s.Clear(); f.Free();")]
    [InlineData("PageFragment f = cache.Allocate(1); byte[] copy = f.Span.ToArray(); f.Free(); Look(copy);")]
    [InlineData("PageFragment f = cache.Allocate(1); Span<byte> s = f.Span; f.Free(); Console.WriteLine(s.Length);")]
    [InlineData("PageFragment f = cache.Allocate(1); int first = f.Span[0]; f.Free(); Console.WriteLine(first);")]
    [InlineData("Span<byte> s = stackalloc byte[8]; if (flag) { PageFragment f = cache.Allocate(1); f.Span.CopyTo(s); f.Free(); } Look(s);")]
    [InlineData("PageFragment f = cache.Allocate(1); Span<byte> s = f.Span; if (flag) { f.Free(); return; } Look(s); f.Free();")]
    [InlineData("PageFragment f = cache.Allocate(1); Span<byte> s = f.Span; if (n > 1) { f.Free(); } if (n <= 1) { Look(s); f.Free(); }")]
    [InlineData("PageFragment f = cache.Allocate(1); Page p = f.Page.Get(); Span<byte> s = p.Span; f.Free(); Look(s); p.Put();")]
    [InlineData("PageFragment f = cache.Allocate(1); ReadOnlySpan<byte> s = flag ? f.Span : default; Look(s); f.Free();")]
    [InlineData("for (int i = 0; i < n; i++) { PageFragment f = cache.Allocate(1); Span<byte> s = f.Span; s.Clear(); f.Free(); }")]
    [InlineData("PageFragment f = cache.Allocate(1); Keep(f); Span<byte> s = f.Span; f.Free(); Look(s);")]
    [InlineData("PageFragment f = cache.Allocate(1); nint at = (nint)f.Address; f.Free(); Console.WriteLine(at);")]
    [InlineData("using FragmentLease lease = cache.Allocate(1).Lease(); Span<byte> s = lease.Span; s.Clear();")]
    public Task A_view_used_in_time_is_not(string body) => Snippet.Holds(Snippet.Body(body));

    [Theory]
    [InlineData("Span<byte> Do(PageFragment f)", "return f.Span;")]
    [InlineData("byte[] Do(PageFragmentCache cache)", "PageFragment f = cache.Allocate(1); try { return f.Span.ToArray(); } finally { f.Free(); }")]
    [InlineData("int Do(PageFragmentCache cache)", "PageFragment f = cache.Allocate(1); try { return f.Span.Length; } finally { f.Free(); }")]
    [InlineData("byte* Do(PageAllocator a)", "return a.Allocate().Address;")]
    [InlineData("PageFragment Do(PageFragmentCache cache, out Span<byte> s)", "PageFragment f = cache.Allocate(1); s = f.Span; return f;")]
    public Task A_view_or_a_copy_returned_with_its_owner_alive_is_not(string signature, string body) => Snippet.Holds(Method(signature, body));
}
