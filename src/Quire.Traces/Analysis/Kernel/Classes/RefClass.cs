namespace Quire.Traces.Analysis;

/// <summary>What kind of holder has a reference of a kernel's page. Immutable; the classes are those of <see cref="RefClasses.All"/>.</summary>
/// <param name="Name">Its name, in kebab-case, as in JSON.</param>
/// <param name="IsStructural">Whether the page has such a reference by what it is (mapped, cached, just allocated, isolated by the contiguous allocation itself), and loses it by being migrated: it blocks nothing.</param>
/// <param name="What">What holds it, as part of a sentence: <c>a pipe</c>.</param>
/// <param name="Advice">What to do about it, in one or more sentences.</param>
/// <param name="EndedBy">The classes of the stacks at which such references are given back, the likeliest first.</param>
internal sealed record RefClass(string Name, bool IsStructural, string What, string Advice, params IReadOnlyList<string> EndedBy)
{
    /// <inheritdoc/>
    public override string ToString() => Name;
}
