using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Xunit;

namespace Quire.Analyzers.Tests.Generated;

/// <summary>Code is broken most of the time that somebody types it: whatever stands there, no analyzer throws.</summary>
public sealed class BrokenCodeTests
{
    private const string Whole =
        """
        using static Somewhere;
        unsafe class T : IDisposable
        {
            private readonly PageFragmentCache _cache = new();
            private PageFragment _f;
            public T(PageAllocator a) { _f = _cache.Allocate(1); using PageFragmentCache other = new(a); }
            public int this[int i] => _f.Span[i];
            async Task<int> Wait(PageFragmentCache c, int n)
            {
                PageFragment f = c.Allocate(n);
                try { await Later(); foreach (int i in new[] { 1, 2 }) { if (i > n) { continue; } f.Touch(); } }
                catch (IOException e) when (e.Message.Length > 1) { f.Free(); throw; }
                finally { if (f.IsAlive) { f.Free(); } }
                (PageFragment x, int y) = (f, 1);
                PageFragment g = n switch { 1 => f, > 3 and < 9 => c.Allocate(2), _ => default };
                Action free = () => g.Free();
                void Local(ref PageFragment r, out PageFragment o) { o = r; r = default; r.Free(); }
                Local(ref g, out PageFragment h);
                object boxed = h; if (boxed is PageFragment { IsAlive: true } again && again != default) { again.Free(); }
                return c.TryAllocate(1, out PageFragment z, out _) ? z.Length : _f.Length;
            }
            static Span<byte> View(Page p, bool flag) { Span<byte> s = flag ? p.Span : default; p.Put(); fixed (byte* at = s) { *at = 1; } return s[1..^1]; }
            IEnumerable<Page> Each(PageAllocator a) { for (;;) { Page p = a.Allocate(); yield return p; } }
            public void Dispose() { lock (_cache) { _cache?.Dispose(); } goto end; end: _f.Free(); }
        }
        """;

    [Fact]
    public async Task The_whole_compiles_so_its_parts_say_something() =>
        Assert.NotEmpty(await Snippet.Diagnose(Compiles(Whole)));

    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    public async Task Cut_off_stirred_and_doubled_code_makes_no_analyzer_throw(int seed)
    {
        Random random = new(seed);
        string[] tokens = [.. CSharpSyntaxTree.ParseText(Whole, cancellationToken: TestContext.Current.CancellationToken).GetRoot(TestContext.Current.CancellationToken).DescendantTokens().Select(token => token.ToFullString())];
        for (int round = 0; round < 50; round++)
        {
            List<string> broken = [.. tokens];
            switch (random.Next(4))
            {
                case 0:
                    broken = broken[..random.Next(20, broken.Count)];
                    break;
                case 1:
                    for (int i = random.Next(1, 12); i > 0; i--)
                    {
                        broken.RemoveAt(random.Next(broken.Count));
                    }

                    break;
                case 2:
                    for (int i = random.Next(1, 12); i > 0; i--)
                    {
                        broken[random.Next(broken.Count)] = tokens[random.Next(tokens.Length)];
                    }

                    break;
                default:
                    int from = random.Next(broken.Count), length = random.Next(Math.Min(40, broken.Count - from));
                    broken.InsertRange(random.Next(broken.Count), broken.GetRange(from, length));
                    break;
            }

            // Fails by itself where an analyzer throws; seed and round lead back to the text.
            try
            {
                await Snippet.Diagnose(Snippet.Compile(string.Concat(broken)));
            }
            catch (Xunit.Sdk.XunitException fault)
            {
                Assert.Fail($"seed {seed}, round {round}: {fault.Message}\n{string.Concat(broken)}");
            }
        }
    }

    private static CSharpCompilation Compiles(string code)
    {
        CSharpCompilation compilation = Snippet.Compile(code);
        ImmutableArray<Diagnostic> errors = [.. compilation.GetDiagnostics().Where(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error)];
        Assert.True(errors.IsEmpty, string.Join("\n", errors));
        return compilation;
    }
}
