namespace Quire.Traces.Analysis;

/// <summary>What a stack was found to mean.</summary>
/// <param name="Class">The class.</param>
/// <param name="Rule">The rule that said so; null: none did, or the module of a driver did.</param>
/// <param name="Frame">The frame that said so, and that names the site best; -1 where the stack has none that tells anything.</param>
/// <param name="Detail">The module of a driver; of an unknown holder, what could be recognised of where it runs (<c>system call x</c>, <c>interrupt</c>, <c>kernel thread</c>); null: nothing.</param>
internal readonly record struct RefMatch(RefClass Class, RefRule? Rule, int Frame, string? Detail)
{
    /// <summary>What to do about such a holder.</summary>
    public string Advice => Rule?.Advice ?? Class.Advice;
}
