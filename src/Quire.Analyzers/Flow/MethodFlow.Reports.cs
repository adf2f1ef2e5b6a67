using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.FlowAnalysis;

namespace Quire.Analyzers.Flow;

/// <content>How it is said.</content>
internal sealed partial class MethodFlow
{
    private static readonly ImmutableDictionary<string, string?> s_none = ImmutableDictionary<string, string?>.Empty;

    private void ReportNotReleased(int token, int slot, BasicBlock block, bool isEnd)
    {
        TokenSite site = _sites[token / 2];
        if (IsWholeLambda(site.Syntax))
        {
            return;
        }

        SyntaxNode? last = LastSyntax(block);
        string where = !site.IsEverReleased ? "anywhere"
            : isEnd && last is not null ? $"where the method ends after line {Findings.LineOf(last)}"
            : last is not null ? $"on the path through line {Findings.LineOf(last)}"
            : "on some path";
        _findings.Add(Rules.NotReleased, site.Syntax, last, Properties(site), Capital(Display(token, slot)), where, site.Type.ReleaseName);
    }

    private void ReportOverwritten(int token, int slot)
    {
        TokenSite site = _sites[token / 2];
        _findings.Add(Rules.NotReleased, site.Syntax, null, s_none, Capital(Display(token, slot)), $"before '{_graph.NameOf(slot)?.Name}' gets another", site.Type.ReleaseName);
    }

    private void ReportDropped(int token)
    {
        TokenSite site = _sites[token / 2];
        if (IsWholeLambda(site.Syntax))
        {
            return;
        }

        _findings.Add(Rules.ResultDropped, site.Syntax, null, s_none, site.Method is null ? site.Type.Noun : ResultAnalyzer.Display(site.Method));
    }

    private void ReportReleasedAgain(FlowState state, int token, ReleaseSite earlier, SyntaxNode again, int slot)
    {
        bool isOther = earlier.IsLease || (slot >= 0 && earlier.Slot >= 0 && earlier.Slot != slot && _graph.NameOf(slot) is not null && _graph.NameOf(earlier.Slot) is not null);
        string line = Findings.LineOf(earlier.Syntax);
        if (isOther)
        {
            string name = slot >= 0 ? Quoted(slot) : Display(token, slot);
            _findings.Add(Rules.TwoOwners, again, earlier.Syntax, s_none, name, earlier.Slot >= 0 ? Quoted(earlier.Slot) : "a lease", line);
        }
        else
        {
            _findings.Add(Rules.ReleasedTwice, again, earlier.Syntax, s_none, Capital(Display(token, slot)), line);
        }
    }

    private void ReportUsedAfterRelease(FlowState state, int token, SyntaxNode use, string why)
    {
        ReleaseSite release = _releases[state.Token(token).ReleasedBy];
        _findings.Add(Rules.UsedAfterRelease, use, release.Syntax, s_none, Capital(Display(token, -1)), why, Findings.LineOf(release.Syntax));
    }

    private void ReportStaleView(FlowState state, int token, int slot, SyntaxNode use, string why)
    {
        ReleaseSite release = _releases[state.Token(token).ReleasedBy];
        string view = slot >= 0 && _graph.NameOf(slot) is { } name ? $"'{name.Name}'" : "This";
        _findings.Add(Rules.ViewOutlives, use, release.Syntax, s_none, view, Display(token, -1), Findings.LineOf(release.Syntax), why);
    }

    /// <summary>`() => cache.Allocate(n)`: whoever writes so wants the call, most often that it throws, and has no place to say more.</summary>
    private static bool IsWholeLambda(SyntaxNode syntax) =>
        syntax.FirstAncestorOrSelf<SyntaxNode>(static node => node is LambdaExpressionSyntax or StatementSyntax) is LambdaExpressionSyntax;

    /// <summary>What a code fix needs to know.</summary>
    private static ImmutableDictionary<string, string?> Properties(TokenSite site) =>
        s_none.Add("release", site.Type.ReleaseName).Add("type", site.Type.Name).Add("noun", site.Type.Noun).Add("isNever", site.IsEverReleased ? "false" : "true");

    /// <summary>The reference's name for a person: its local, or what took it.</summary>
    private string Display(int token, int slot)
    {
        TokenSite site = _sites[token / 2];
        if (_graph.NameOf(slot) is null)
        {
            foreach (int held in site.Slots)
            {
                if (_graph.NameOf(held) is not null)
                {
                    slot = held;
                    break;
                }
            }
        }

        return _graph.NameOf(slot) is { } name ? $"{site.Type.Noun} '{name.Name}'"
            : site.Method is { } method ? $"the {site.Type.Noun} of '{ResultAnalyzer.Display(method)}'"
            : $"the {site.Type.Noun}";
    }

    private string Quoted(int slot) => _graph.NameOf(slot) is { } name ? $"'{name.Name}'" : "a copy";

    private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text.Substring(1);

    private static SyntaxNode? LastSyntax(BasicBlock block) =>
        block.BranchValue?.Syntax ?? (block.Operations.IsEmpty ? null : block.Operations[block.Operations.Length - 1].Syntax);
}
