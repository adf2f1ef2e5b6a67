using Xunit;

namespace Quire.Analyzers.Tests;

/// <summary>QUIRE004: a field that owns, in a type that never releases.</summary>
public sealed class FieldTests
{
    [Theory]
    [InlineData("class T { private readonly PageFragmentCache {|QUIRE004:_cache|} = new(); public int Bias => _cache.Bias; }")]
    [InlineData("class T { private readonly PageFragmentCache {|QUIRE004:_cache|}; public T(PageAllocator a) { _cache = new(a); } public int Bias => _cache.Bias; }")]
    [InlineData("class T { private PageFragment {|QUIRE004:_f|}; public T(PageFragmentCache c) { _f = c.Allocate(1); } public int L => _f.Length; }")]
    [InlineData("class T { private PageFragment {|QUIRE004:_f|}; public bool Fill(PageFragmentCache c) => c.TryAllocate(1, out _f, out _); }")]
    [InlineData("class T { private Page {|QUIRE004:_p|}; public void Fill(Page p) { _p = p.Get(); } public void Clear() { _p = default; } }")]
    [InlineData("class T { private Page {|QUIRE004:_p|}; public void Fill(Page p) { _p = p.Get(); } public Span<byte> Span => _p.Span; }")]
    [InlineData("class T { private PagePin {|QUIRE004:_pin|}; public void Fill(MovablePage p) { _pin = p.Pin(); } public bool Is => _pin.IsAlive; }")]
    [InlineData("class T { private readonly IDisposable {|QUIRE004:_track|} = Holders.Track(); }")]
    [InlineData("class T { private PageAllocator? {|QUIRE004:_a|}; public PageFragmentCache Make() { _a ??= new(); return new PageFragmentCache(_a); } }")]
    [InlineData("partial class T { private PageFragment {|QUIRE004:_f|}; } partial class T { public void Fill(PageFragmentCache c) { _f = c.Allocate(1); } }")]
    public Task It_is_reported(string code) => Snippet.Holds(code);

    [Theory]
    [InlineData("class T : IDisposable { private readonly PageFragmentCache _cache = new(); public void Dispose() => _cache.Dispose(); }")]
    [InlineData("class T : IDisposable { private PageFragmentCache? _cache = new(); public void Dispose() => _cache?.Dispose(); }")]
    [InlineData("class T { private PageFragment _f; public T(PageFragmentCache c) { _f = c.Allocate(1); } public void End() => _f.Free(); }")]
    [InlineData("class T { private PageFragment _f; public T(PageFragmentCache c) { _f = c.Allocate(1); } public void End(PageFragmentCache c) => c.Free(_f); }")]
    [InlineData("class T { private PageFragment _f; public T(PageFragmentCache c) { _f = c.Allocate(1); } public PageFragment Take() => _f; }")]
    [InlineData("class T { private PageFragment _f; public T(PageFragmentCache c) { _f = c.Allocate(1); } public PageFragment Take() { PageFragment f = _f; _f = default; return f; } }")]
    [InlineData("class T { private PageFragment _f; public T(PageFragmentCache c) { _f = c.Allocate(1); } class Inner(T t) { public void End() => t._f.Free(); } }")]
    [InlineData("partial class T { private PageFragment _f; public void Fill(PageFragmentCache c) { _f = c.Allocate(1); } } partial class T { public void End() => _f.Free(); }")]
    [InlineData("class T { private PageFragment _f; public T(PageFragment f) { _f = f; } public int L => _f.Length; }")]
    [InlineData("class T { private static readonly PageFragmentCache s_cache = new(); public int Bias => s_cache.Bias; }")]
    [InlineData("struct T { private PageFragment _f; public void Fill(PageFragmentCache c) { _f = c.Allocate(1); } public int L => _f.Length; }")]
    [InlineData("record T(PageFragmentCache C) { private readonly PageFragment _f = C.Allocate(1); public int L => _f.Length; }")]
    [InlineData("class T { internal PageFragment F; public void Fill(PageFragmentCache c) { F = c.Allocate(1); } }")]
    [InlineData("class T { private PageFragment _f; public void Fill(PageFragmentCache c) { _f = c.Allocate(1); } public void End() { Action free = () => _f.Free(); free(); } }")]
    [InlineData("class T { private PageFragment _f; public void Fill(PageFragmentCache c) { _f = c.Allocate(1); } public void End() { ref PageFragment f = ref _f; f.Free(); } }")]
    [InlineData("class T { private PageAllocator _a = new(); public void End() => Helper(_a); static void Helper(PageAllocator a) => a.Dispose(); }")]
    [InlineData("class T { private PageFragment _f; private readonly List<PageFragment> _all = []; public void Fill(PageFragmentCache c) { _f = c.Allocate(1); _all.Add(_f); } }")]
    [InlineData("class T { private Page _p; public void Fill(PageAllocator a) { _p = a.Allocate(); } public void End() => PageRef.Dec(_p); }")]
    public Task What_is_released_or_handed_on_or_may_be_is_not(string code) => Snippet.Holds(code);
}
